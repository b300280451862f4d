"""The commands that tell of a model from its configuration alone: params and explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headstart.cli.completions import complete_topics
from headstart.cli.options import AsJson, Quiet
from headstart.cli.output import print_json, print_rendered, print_text
from headstart.stages import LOADING, tell_stage

if TYPE_CHECKING:
    pass


def params(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, config.json, hub id or asset.")],
    omit: Annotated[
        str,
        typer.Option(
            metavar="PART,...",
            help="Exclude from the total: biases, norms, pooler, head, lm-head, or any part.",
        ),
    ] = "",
    lora: Annotated[
        str | None,
        typer.Option(metavar="SETTINGS", help="Adapters to add, such as r=16,target=query_key_value."),
    ] = None,
    bits: Annotated[int, typer.Option(metavar="N", help="Bits per weight: 4, 16 or 32.")] = 32,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HEAD", help="none, masked-lm, causal-lm or classification; default: the model's own."
        ),
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1_000_000_000, help="Outputs of a classification head."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count a model's parameters and memory.

    By formula and by walking its modules, from its configuration alone.
    """
    tell_stage(LOADING)
    from headstart.commands.params import params as count_params
    from headstart.config.inline import parse_lora
    from headstart.report.params import render_params

    parts = [name.strip() for name in omit.split(",") if name.strip()]
    adapters = parse_lora(lora) if lora is not None else None
    size = count_params(model, omit=parts, lora=adapters, bits=bits, head=head, labels=labels)
    if as_json:
        print_json(size.to_dict())
    else:
        print_rendered(render_params(size))


def explain(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="What to explain: lora.", autocompletion=complete_topics)
    ],
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Model to take the numbers from; default: an example."),
    ] = None,
    lora: Annotated[
        str | None, typer.Option(metavar="SETTINGS", help="Such as r=16,target=query_key_value.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page as Markdown.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Explain a method's settings, with numbers."""
    from rich.markdown import Markdown

    tell_stage(LOADING)
    from headstart.commands.explain import check_topic, explain_lora
    from headstart.config.inline import parse_lora
    from headstart.report.explain import render_lora_page

    check_topic(topic)
    explanation = explain_lora(model, parse_lora(lora) if lora is not None else None)
    if as_json:
        print_json(explanation.to_dict())
    elif markdown:
        print_text(render_lora_page(explanation), end="")
    else:
        print_rendered(Markdown(render_lora_page(explanation)))
