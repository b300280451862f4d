"""The commands that use models and tell of them: predict, generate, export, params and explain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import LARGEST_SEED, AsJson
from headstart.cli.output import print_json, print_notice, print_piece, print_rendered, print_text
from headstart.cli.stages import LOADING
from headstart.errors import HeadstartError
from headstart.stages import tell_stage


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A saved model.", show_default=False)],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="CSV, TSV, JSONL or Parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, of the same format.")],
    text: Annotated[
        str | None, typer.Option(help="Column of texts, A,B of pairs; the study's where absent.")
    ] = None,
    separator: Annotated[str, typer.Option(help="Between the cells of CSV; one character.")] = ",",
) -> None:
    """Label a file of texts with a saved model."""
    tell_stage(LOADING)
    from headstart.commands.predict import predict as label_file

    rows = label_file(model, source, output, text=text, separator=separator)
    print_text(f"labelled {rows} rows: {output}")


def generate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, adapter, hub id or asset.")],
    prompt: Annotated[str | None, typer.Argument(help="The prompt; else --file.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="CSV, TSV, JSONL or Parquet.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write, with --file.")] = None,
    column: Annotated[str, typer.Option(help="Column of prompts.")] = "prompt",
    max_new_tokens: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Most tokens of an answer.")
    ] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0: greedily; above: drawn.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Likeliest tokens drawn from, by share.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of what is drawn.")] = 0,
) -> None:
    """Answer a prompt, or a file of prompts, with the model's chat template."""
    tell_stage(LOADING)
    from headstart.commands.generate import generate_file, open_generator
    from headstart.engine.generate import GenerationConfig

    if (prompt is None) == (file is None) or (file is None) != (output is None):
        raise HeadstartError("a prompt, or --file with -o, expected: one of both", where="generate")
    if not (math.isfinite(temperature) and math.isfinite(top_p)):
        raise HeadstartError(
            f"{temperature:g}, {top_p:g}", where="--temperature, --top-p", expected="numbers"
        )
    config = GenerationConfig(max_new_tokens, temperature, top_p, seed)
    if file is not None and output is not None:
        count = generate_file(model, file, output, config, column=column, log=print_notice)
        print_text(f"answered {count} prompts: {output}")
    elif prompt is not None:
        generator = open_generator(model)
        for sentence in generator.prompt_formats:
            print_notice(sentence)
        generator.generate([prompt], config, tell=print_piece)
        print_text("")


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A saved adapter.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    merge: Annotated[bool, typer.Option("--merge", help="Add the adapter to its base's weights.")] = False,
) -> None:
    """Write an adapter and its base as one whole model, which loads without PEFT."""
    tell_stage(LOADING)
    from headstart.commands.export import export as export_model

    if not merge:
        raise HeadstartError("nothing else than merging is known", where="export", fix="add --merge")
    export_model(model, output)
    print_text(f"wrote {output}")


def params(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, config.json, hub id or asset.")],
    omit: Annotated[
        str, typer.Option(help="Left out of the total: biases, norms, pooler, head, lm-head, or any part.")
    ] = "",
    lora: Annotated[
        str | None, typer.Option(help="Adapters to add, such as r=16,target=query_key_value.")
    ] = None,
    bits: Annotated[int, typer.Option(help="How weights are kept: 4, 16 or 32 bits.")] = 32,
    head: Annotated[
        str | None, typer.Option(help="none, masked-lm, causal-lm or classification; else the model's own.")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(min=1, max=1_000_000_000, help="Outputs of a classification head.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count a model's parameters, by formula and by walking its modules, from its configuration alone."""
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
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to explain: lora.")],
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Whose numbers; else an example's.")
    ] = None,
    lora: Annotated[str | None, typer.Option(help="Settings, such as r=16,target=query_key_value.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page as Markdown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Explain what a method's settings do, with the numbers of a model at hand."""
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
