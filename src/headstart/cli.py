"""The command line: each command parses its words, calls one function, and prints what it gives."""

from __future__ import annotations

import json
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from headstart.data.controls import escape_controls
from headstart.errors import HeadstartError
from headstart.interrupts import Interrupted, end_children, raise_interrupts
from headstart.report.console import make_console

if TYPE_CHECKING:
    from headstart.config.study import Study

app = typer.Typer(
    name="headstart",
    help="Fine-tune text models with the control arm included.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file.", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys to set, such as seeds=5.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def _print_version(show_version: bool) -> None:
    if show_version:
        typer.echo(f"headstart {version('headstart')}")
        raise typer.Exit


@app.callback()
def _describe_program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fine-tune text models with the control arm included."""


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="A data file or folder.", show_default=False)],
    model: Annotated[
        str | None, typer.Option(help="Checkpoint: folder, hub id, or asset:name; a small one by default.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Column of texts, where the guess is wrong; A,B for a pair.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of labels, where the guess is wrong; A,B,C of 0 and 1.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("study.yaml"),
) -> None:
    """Look at labelled texts, or prompts and responses, and write a commented study file."""
    from headstart.commands.init import init as write_study
    from headstart.report.init import render_init

    _echo(render_init(write_study(data, output, model=model, text=text, label=label)))


@app.command()
def plan(
    study: StudyFile,
    overrides: Overrides = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Make a few real steps: memory measured, time expected.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the study and its data, and list its runs and their cost, without training."""
    from headstart.config.load import load_study

    loaded = load_study(study, overrides or ())
    from headstart.commands.plan import plan as plan_study
    from headstart.report.plan import render_plan

    planned = plan_study(loaded, _log, probe=probe)
    if as_json:
        _print_json(planned.to_dict())
    else:
        make_console().print(render_plan(planned))


@app.command()
def run(
    study: StudyFile,
    overrides: Overrides = None,
    until_decided: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS", help="Add seeds until every contrast is decided, or its interval narrower."
        ),
    ] = None,
    most_seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Where adding seeds ends: 20 by default.", show_default=False),
    ] = None,
    sequence: Annotated[
        Literal["signs", "t"] | None,
        typer.Option(help="signs (the default) assume no law, t normal differences.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the missing runs of the study, and print its findings."""
    from headstart.config.load import load_study

    loaded = load_study(study, overrides or ())
    _check_until(until_decided, {"--most-seeds": most_seeds, "--sequence": sequence})
    if until_decided is None:
        _run_and_print(loaded, as_json=as_json)
    else:
        options = {"sequence": sequence} | ({} if most_seeds is None else {"most_seeds": most_seeds})
        _run_and_print(loaded, as_json=as_json, until=(until_decided, options))


def _check_until(until_decided: float | None, given: dict[str, object]) -> None:
    """See that nothing is said of adding seeds where none are added."""
    for name, value in given.items():
        if until_decided is None and value is not None:
            raise HeadstartError(
                f"{value}, and no seeds are added",
                where=name,
                expected="--until-decided POINTS beside it",
                fix=f"leave {name} out, or add --until-decided",
            )


@app.command()
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
    from headstart.commands.predict import predict as label_file

    rows = label_file(model, source, output, text=text, separator=separator)
    typer.echo(f"labelled {rows} rows: {output}")


@app.command()
def generate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, adapter, hub id or asset.")],
    prompt: Annotated[str | None, typer.Argument(help="The prompt; else --file.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="CSV, TSV, JSONL or Parquet.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write, with --file.")] = None,
    column: Annotated[str, typer.Option(help="Column of prompts.")] = "prompt",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0: greedily; above: drawn.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Likeliest tokens drawn from, by share.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
) -> None:
    """Answer a prompt, or a file of prompts, with the model's chat template."""
    from headstart.commands.generate import generate_file, open_generator
    from headstart.engine.generate import GenerationConfig

    if (prompt is None) == (file is None) or (file is None) != (output is None):
        raise HeadstartError("a prompt, or --file with -o, expected: one of both", where="generate")
    config = GenerationConfig(max_new_tokens, temperature, top_p, seed)
    if file is not None and output is not None:
        count = generate_file(model, file, output, config, column=column, log=partial(_echo, err=True))
        typer.echo(f"answered {count} prompts: {output}")
    elif prompt is not None:
        generator = open_generator(model)
        for sentence in generator.prompt_formats:
            _echo(sentence, err=True)
        generator.generate([prompt], config, tell=print_piece)
        typer.echo()


@app.command()
def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A saved adapter.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    merge: Annotated[bool, typer.Option("--merge", help="Add the adapter to its base's weights.")] = False,
) -> None:
    """Write an adapter and its base as one whole model, which loads without PEFT."""
    from headstart.commands.export import export as export_model

    if not merge:
        raise HeadstartError("nothing else than merging is known", where="export", fix="add --merge")
    export_model(model, output)
    typer.echo(f"wrote {output}")


@app.command()
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="A study's folder, or two; a file of scores; or files or folders of items, NAME=PATH.",
            show_default=False,
        ),
    ],
    metric: Annotated[str | None, typer.Option(help="The study's, or the only column, by default.")] = None,
    control: Annotated[str | None, typer.Option(help="Arm that the others are compared with.")] = None,
    margin: Annotated[
        float | None, typer.Option(min=0, help="Points (or the metric's unit) that do not matter.")
    ] = None,
    lower_is_better: Annotated[
        bool | None,
        typer.Option(
            "--lower-is-better/--higher-is-better",
            help="Of a metric whose name does not tell.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Of items: the task, where files are of several.")] = None,
    shared_items: Annotated[
        bool, typer.Option("--shared-items", help="Leave out items that an arm lacks.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit code by the verdict: 0 better, 3 undecided, 4 worse.")
    ] = False,
    arm: Annotated[str | None, typer.Option(help="Of --gate: the arm that is judged.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare arms over seeds and test examples, with intervals, adjusted tests and verdicts."""
    from headstart.analysis.gate import judge_gate
    from headstart.commands.compare import compare_sources
    from headstart.report.comparison import (
        render_comparison,
        render_comparison_latex,
        render_comparison_markdown,
    )

    if arm is not None and not gate:
        raise HeadstartError("it says which arm --gate judges", where="--arm", fix="add --gate")
    comparison = compare_sources(
        sources,
        task=task,
        metric=metric,
        control=control,
        margin=margin,
        seed=seed,
        lower_is_better=lower_is_better,
        shared_items=shared_items,
    )
    judged = judge_gate(comparison, arm) if gate else None
    if as_json:
        _print_json(comparison.to_dict())
    elif as_latex:
        typer.echo(render_comparison_latex(comparison), nl=False)
    elif as_markdown:
        typer.echo(render_comparison_markdown(comparison), nl=False)
    else:
        make_console().print(render_comparison(comparison))
    if judged is not None:
        _log(f"gate: {judged.arm} against {judged.control}: {judged.verdict}, exit code {judged.exit_code}")
        raise typer.Exit(judged.exit_code)


@app.command()
def judge(
    study: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.", show_default=False)],
    arm: Annotated[str | None, typer.Option(help="Whose answers are judged.")] = None,
    control: Annotated[str | None, typer.Option(help="Against whose; the study's control.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The sheet to write, CSV.")] = None,
    examples: Annotated[int | None, typer.Option(min=1, help="Prompts drawn; all by default.")] = None,
    size: Annotated[str | None, typer.Option(help="Training examples; the largest by default.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Show the response expected.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    read: Annotated[
        list[Path] | None, typer.Option(help="A sheet that was judged; again for each judge.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a blind sheet of paired answers for people to judge; with --read, what they judged."""
    from headstart.analysis.cells import parse_size
    from headstart.commands.judge import judge_pairs, judge_read
    from headstart.report.judge import describe_sheet, render_judgements

    if read:
        _refuse_drawing({"--arm": arm, "--output": output, "--examples": examples, "--size": size})
        found = judge_read(study, read)
        if as_json:
            _print_json(found.to_dict())
        else:
            make_console().print(render_judgements(found))
        return
    if arm is None or output is None:
        raise HeadstartError(
            "--arm ARM with -o FILE, to write a sheet, or --read FILE expected", where="judge"
        )
    number = None if size is None else parse_size(size, "--size")
    sheet = judge_pairs(
        study,
        output,
        arm=arm,
        control=control,
        size=number,
        seed=seed,
        examples=examples,
        reference=reference,
    )
    if as_json:
        _print_json(sheet.to_dict())
    else:
        _echo(describe_sheet(sheet, study))


def _refuse_drawing(given: dict[str, object]) -> None:
    """See that nothing is said of a draw where a sheet is read: its key knows."""
    for name, value in given.items():
        if value is not None:
            raise HeadstartError(
                f"{value}, and a sheet is read", where=name, expected="--read alone: the sheet's key knows"
            )


@app.command()
def power(
    source: Annotated[
        Path | None, typer.Argument(metavar="[SOURCE]", help="A study's folder, or a file of single results.")
    ] = None,
    difference: Annotated[float | None, typer.Option(help="Difference to be shown, in points.")] = None,
    test_examples: Annotated[
        int | None, typer.Option(help="Test examples, 2 or more; a study's own by default.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds, 2 or more; 3, or a study's own.")] = None,
    contrasts: Annotated[
        int | None, typer.Option(help="Contrasts that share the 5%; 1, or a study's own.")
    ] = None,
    accuracy: Annotated[float, typer.Option(help="Of both models, on average; assumed, in percent.")] = 80.0,
    disagree: Annotated[
        float | None,
        typer.Option(help="Percent of examples on which two models differ in being right."),
    ] = None,
    disagree_stays: Annotated[
        float, typer.Option(help="Percent of these that are the same with every pair of seeds.")
    ] = 50.0,
    seed_std: Annotated[float, typer.Option(help="Assumed deviation over seeds, in points.")] = 1.0,
    seed_cost: Annotated[
        float | None, typer.Option(help="Labelled test examples that cost as much as a seed; 100.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="A study's metric.")] = None,
    control: Annotated[str | None, typer.Option(help="Arm that the others are compared with.")] = None,
    as_json: AsJson = False,
) -> None:
    """How many seeds or test examples would show a difference, before a study or after it."""
    from headstart.analysis.power_questions import Assumptions, Question
    from headstart.commands.power import analyse_power
    from headstart.report.power import render_power

    question = Question(difference, test_examples, seeds, contrasts, seed_cost)
    assumptions = Assumptions(accuracy, disagree, disagree_stays, seed_std)
    analysis = analyse_power(source, question, assumptions, metric=metric, control=control)
    if as_json:
        _print_json(analysis.to_dict())
    else:
        make_console().print(render_power(analysis))


@app.command()
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
    labels: Annotated[int | None, typer.Option(min=1, help="Outputs of a classification head.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count a model's parameters, by formula and by walking its modules, from its configuration alone."""
    from headstart.commands.params import params as count_params
    from headstart.config.inline import parse_lora
    from headstart.report.params import render_params

    parts = [name.strip() for name in omit.split(",") if name.strip()]
    adapters = parse_lora(lora) if lora is not None else None
    size = count_params(model, omit=parts, lora=adapters, bits=bits, head=head, labels=labels)
    if as_json:
        _print_json(size.to_dict())
    else:
        make_console().print(render_params(size))


@app.command()
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

    from headstart.commands.explain import check_topic, explain_lora
    from headstart.config.inline import parse_lora
    from headstart.report.explain import render_lora_page

    check_topic(topic)
    explanation = explain_lora(model, parse_lora(lora) if lora is not None else None)
    if as_json:
        _print_json(explanation.to_dict())
    elif markdown:
        typer.echo(render_lora_page(explanation), nl=False)
    else:
        make_console().print(Markdown(render_lora_page(explanation)))


@app.command()
def schema() -> None:
    """Print the JSON schema of study files, for editors."""
    from headstart.commands.schema import schema as make_schema

    _print_json(make_schema())


@app.command()
def demo(overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Run a real study of five minutes: pretrained against random weights and a bag of words."""
    from headstart.commands.demo import load_demo

    _run_and_print(load_demo(overrides or ()), as_json=as_json)


def _run_and_print(study: Study, *, as_json: bool, until: tuple[float, dict[str, Any]] | None = None) -> None:
    from headstart.commands.run import run as run_study
    from headstart.commands.until import run_until
    from headstart.report.progress import StudyProgress
    from headstart.report.study_summary import render_study_summary

    try:
        with StudyProgress(study.metric) as progress:
            listeners = progress.on_event, progress.log, progress.begin
            if until is None:
                results = run_study(study, *listeners)
            else:
                results = run_until(study, until[0], *listeners, **until[1])
    except (Interrupted, KeyboardInterrupt) as interrupt:
        raise _end_study(study, interrupt) from None
    if as_json:
        _print_json(results.to_dict())
    else:
        make_console().print(render_study_summary(results.findings, results.out))
    if results.findings.failed:
        raise typer.Exit(1)


def _end_study(study: Study, interrupt: BaseException) -> typer.Exit:
    """Say what an interrupted study keeps; gives what ends the command."""
    end_children()
    name, code = _name_interrupt(interrupt)
    _log(
        f"interrupted by {name}: runs that have ended, and the last states of those under way, are kept in "
        f"{study.out}; the same command goes on from there"
    )
    return typer.Exit(code)


def _name_interrupt(interrupt: BaseException) -> tuple[str, int]:
    """The signal's name, and the exit code that says so."""
    if isinstance(interrupt, Interrupted):
        return interrupt.signal.name, interrupt.exit_code
    return "SIGINT", 130


def print_piece(piece: str) -> None:
    """Of an answer as it comes; what a terminal would obey is escaped there, and left as it is in a pipe."""
    # Not `typer.echo`, which takes colours off what goes into a pipe: there an answer stays what it is.
    print(escape_controls(piece) if sys.stdout.isatty() else piece, end="", flush=True)


def _echo(text: str, *, err: bool = False) -> None:
    typer.echo(escape_controls(text), err=err)


def _print_json(values: dict[str, Any]) -> None:
    typer.echo(json.dumps(values, indent=1, ensure_ascii=False))


def _log(sentence: str) -> None:
    make_console(stderr=True).print(Text(sentence, style="dim"), soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit code; a user's mistake is one message and code 2.

    Where a signal ends it, the code is 128 and the signal's number.
    """
    try:
        with raise_interrupts():
            app(arguments)
    except (Interrupted, KeyboardInterrupt) as interrupt:
        end_children()
        name, code = _name_interrupt(interrupt)
        _log(f"interrupted by {name}: nothing half-written is left")
        return code
    except HeadstartError as error:
        # Not broken into lines of 80 where there is no terminal: a path in it must stay one path.
        make_console(stderr=True).print(
            Text("error: ", style="bold red").append(str(error), style="not bold default"), soft_wrap=True
        )
        return 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
