"""The commands that judge results: compare, judge and power."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.completions import complete_arms, complete_metrics
from headstart.cli.options import LARGEST_SEED, AsJson, Force, Quiet
from headstart.cli.output import print_json, print_notice, print_rendered, print_text
from headstart.errors import HeadstartError
from headstart.stages import tell_stage

Control = Annotated[
    str | None,
    typer.Option(
        metavar="ARM", help="Arm to compare with; default: the study's control.", autocompletion=complete_arms
    ),
]


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="One or two study folders; a score file; or per-item files or folders, NAME=PATH.",
            show_default=False,
        ),
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="Default: the study's metric, or the only column.",
            autocompletion=complete_metrics,
        ),
    ] = None,
    control: Control = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            min=0,
            help="Largest difference that does not matter, in points (or the metric's unit).",
        ),
    ] = None,
    lower_is_better: Annotated[
        bool | None,
        typer.Option(
            "--lower-is-better/--higher-is-better",
            help="Direction of a metric that is not known by name.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Task to compare where per-item files have several.")
    ] = None,
    shared_items: Annotated[
        bool, typer.Option("--shared-items", help="Compare only the items that all arms have.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit code by the verdict: 0 better, 3 undecided, 4 worse.")
    ] = False,
    arm: Annotated[
        str | None,
        typer.Option(metavar="ARM", help="With --gate: the arm to judge.", autocompletion=complete_arms),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Random seed of the bootstrap.")
    ] = 0,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print only this table, such as arms.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Print all notes, not just five.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare arms: intervals, tests and verdicts.

    Over seeds and test examples, with tests adjusted for their number.
    """
    tell_stage(f"reading {', '.join(map(str, sources))}")
    from headstart.analysis.gate import judge_gate
    from headstart.commands.compare_sources import compare_sources
    from headstart.report.comparison import (
        describe_comparison,
        render_comparison,
        render_comparison_latex,
        render_comparison_markdown,
    )

    if arm is not None and not gate:
        raise HeadstartError("it selects the arm that --gate judges", where="--arm", fix="add --gate")
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
        print_notice(
            f"gate: {judged.arm} against {judged.control}: {judged.verdict}, exit code {judged.exit_code}"
        )
        raise typer.Exit(judged.exit_code)


def judge(
    study: Annotated[Path, typer.Argument(metavar="FOLDER", help="A study's folder.", show_default=False)],
    arm: Annotated[
        str | None,
        typer.Option(metavar="ARM", help="Arm whose answers are judged.", autocompletion=complete_arms),
    ] = None,
    control: Control = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="CSV sheet to write.")
    ] = None,
    examples: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Number of prompts to draw; default: all.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="N", help="Train size; default: the largest.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Show the reference response.")] = False,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Random seed of the draw.")
    ] = 0,
    read: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A judged sheet; repeat for each judge."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Have people judge answers blind, in pairs.

    It writes a sheet of paired answers to judge; with --read, it says what was judged.
    """
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
        force=force,
    )
    if as_json:
        print_json(sheet.to_dict())
    else:
        print_text(describe_sheet(sheet, study))


def _refuse_drawing(given: dict[str, object]) -> None:
    """See that no option of a draw is given where a sheet is read: its key has them."""
    for name, value in given.items():
        if value is not None:
            raise HeadstartError(
                f"{value}, but a sheet is read",
                where=name,
                expected="only --read: the rest is stored in the sheet's key",
            )


def power(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SOURCE", help="A study folder, or a file of single results."),
    ] = None,
    difference: Annotated[
        float | None, typer.Option(metavar="POINTS", help="Difference to detect, in points.")
    ] = None,
    test_examples: Annotated[
        int | None, typer.Option(metavar="N", help="Test examples, 2 or more; default: the study's.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Seeds, 2 or more; default: the study's, or 3.")
    ] = None,
    contrasts: Annotated[
        int | None,
        typer.Option(metavar="N", help="Contrasts that share the 5% level; default: the study's, or 1."),
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT", help="Without a study: mean accuracy of the two models, in %; default: 80."
        ),
    ] = None,
    disagree: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="Without a study: examples that only one of the two models gets right, in %.",
        ),
    ] = None,
    disagree_stays: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="Without a study: share of these that stays the same with every pair of seeds; default: 50.",
        ),
    ] = None,
    seed_std: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="Without a study: standard deviation over seeds; default: 1."),
    ] = None,
    seed_cost: Annotated[
        float | None,
        typer.Option(metavar="N", help="Labelled test examples that cost as much as one seed; default: 100."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="The study's metric to use.", autocompletion=complete_metrics),
    ] = None,
    control: Control = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show which differences a study can detect.

    And how many seeds or test examples it takes, before a study or after it.
    """
    from headstart.analysis.power_questions import Assumptions, Question
    from headstart.commands.power import analyse_power, check_used
    from headstart.report.power import render_power

    question = Question(difference, test_examples, seeds, contrasts, seed_cost)
    given = {"accuracy": accuracy, "disagree": disagree, "disagree_stays": disagree_stays} | {
        "seed_std": seed_std
    }
    stated = {name: value for name, value in given.items() if value is not None}
    check_used(source, question, stated, metric=metric, control=control)
    analysis = analyse_power(source, question, Assumptions(**stated), metric=metric, control=control)
    if as_json:
        print_json(analysis.to_dict())
    else:
        print_rendered(render_power(analysis))
