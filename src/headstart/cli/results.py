"""The commands that judge results: compare, judge and power."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import LARGEST_SEED, AsJson
from headstart.cli.output import print_json, print_news, print_rendered, print_text
from headstart.errors import HeadstartError


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
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the bootstrap.")] = 0,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    table: Annotated[str | None, typer.Option(help="Print this table alone, such as arms.")] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Print every note, not five at most.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare arms over seeds and test examples, with intervals, adjusted tests and verdicts."""
    from headstart.analysis.gate import judge_gate
    from headstart.commands.compare import compare_sources
    from headstart.report.comparison import (
        describe_comparison,
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
        print_json(describe_comparison(comparison))
    elif as_latex:
        print_text(render_comparison_latex(comparison, table), end="")
    elif as_markdown:
        print_text(render_comparison_markdown(comparison, table), end="")
    else:
        print_rendered(render_comparison(comparison, table, all_notes=show_all))
    if judged is not None:
        print_news(
            f"gate: {judged.arm} against {judged.control}: {judged.verdict}, exit code {judged.exit_code}"
        )
        raise typer.Exit(judged.exit_code)


def judge(
    study: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.", show_default=False)],
    arm: Annotated[str | None, typer.Option(help="Whose answers are judged.")] = None,
    control: Annotated[str | None, typer.Option(help="Against whose; the study's control.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The sheet to write, CSV.")] = None,
    examples: Annotated[int | None, typer.Option(min=1, help="Prompts drawn; all by default.")] = None,
    size: Annotated[str | None, typer.Option(help="Training examples; the largest by default.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Show the response expected.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of what is drawn.")] = 0,
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
            print_json(found.to_dict())
        else:
            print_rendered(render_judgements(found))
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
        print_json(sheet.to_dict())
    else:
        print_text(describe_sheet(sheet, study))


def _refuse_drawing(given: dict[str, object]) -> None:
    """See that nothing is said of a draw where a sheet is read: its key knows."""
    for name, value in given.items():
        if value is not None:
            raise HeadstartError(
                f"{value}, and a sheet is read", where=name, expected="--read alone: the sheet's key knows"
            )


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
        print_json(analysis.to_dict())
    else:
        print_rendered(render_power(analysis))
