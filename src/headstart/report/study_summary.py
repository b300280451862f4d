"""The summary that a study prints when it ends: tables, conclusions, warnings and next steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.details.curves import average_curves
from headstart.analysis.findings import Findings
from headstart.analysis.grid_search import describe_choice
from headstart.config.arm_settings import get_choosing_seeds
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.config.study import Study
from headstart.records import Contrast, GridRow
from headstart.report.collapsed import MARK, describe_mark
from headstart.report.conclusions import close_study, describe_training_texts, format_verdict, is_family
from headstart.report.groups import covers_examples, name_groups
from headstart.report.intervals import NO_USEFUL_INTERVAL, format_ends
from headstart.report.next_steps import render_next_steps
from headstart.report.numbers import format_hyperparameters, format_metric, get_unit
from headstart.report.ranking import render_ranking_table
from headstart.report.references import explain_reference, make_reference_row
from headstart.report.sparklines import render_sparklines
from headstart.report.stopping import describe_anytime_brackets, is_of_median, select_difference
from headstart.report.tables import Column, TerminalTable
from headstart.report.warnings import render_warnings
from headstart.report.written_answers import render_answers


def render_study_summary(findings: Findings, out: Path) -> RenderableType:
    """Tables, conclusions, warnings, failures, and next steps in the folder `out`."""
    parts: list[RenderableType] = [render_results_table(findings)]
    parts += [Text(), render_grid_table(findings)] if findings.grid_rows else []
    parts += [Text(), render_ranking_table(findings.ranking)] if findings.ranking else []
    curves = average_curves(findings.chosen, findings.study.metric)
    lines = render_sparklines(curves, describe_metric(findings.study.metric))
    parts += [Text(), *lines] if lines else []
    parts += render_answers(findings.answers)
    parts += [Text(), *(Text(sentence) for sentence in close_study(findings))]
    parts += render_warnings(findings.warnings)
    parts += [Text(f"failed: {run.key}: {run.error}", style="red") for run in findings.failed]
    return Group(*parts, Text(), render_next_steps(findings, out))


def render_results_table(findings: Findings) -> TerminalTable:
    """Per arm and size: mean, sample deviation, each seed, and the difference to the control."""
    study, metric = findings.study, findings.study.metric
    n_arms = len(study.arms)
    columns = tuple(_list_columns(findings))
    rows = [list(_format_row(findings, arm, size)) for size in study.sizes for arm in study.arms]
    reference = make_reference_row(findings.reference, metric, [column.head for column in columns])
    about = (explain_reference(findings.reference, metric), describe_mark(findings.outcomes))
    caption = (
        f"test {metric} at each run's best epoch on {study.select.on}; ± is the sample deviation over seeds"
        f"{_describe_brackets(findings)}"
    )
    return TerminalTable(
        columns,
        [*rows, *([reference] if reference else [])],
        title=study.question,
        caption="\n".join(filter(None, (caption, *about))),
        keys=2 if len(study.sizes) > 1 else 1,
        sections=frozenset(n_arms * (i + 1) - 1 for i in range(len(study.sizes) - 1 + bool(reference))),
        row_styles={len(rows): "dim"},
    )


def _describe_brackets(findings: Findings) -> str:
    """What the intervals cover."""
    rows = [row for row in findings.contrasts if row.metric == findings.study.metric and row.low is not None]
    if not rows:
        return ""
    if findings.stopping_rule is not None:
        return f"; in brackets {describe_anytime_brackets(rows, findings.stopping_rule)}"
    is_known = all(covers_examples(row) for row in rows)
    over = "over seeds" + (f" and test examples{name_groups(rows)}" if is_known else "")
    at_once = f", for all {rows[0].n_tests} at once (Bonferroni)" if is_family(rows) else ""
    looks = f", for {rows[0].n_looks} looks" if rows[0].n_looks > 1 else ""
    return f"; in brackets 95% {over}{at_once}{looks}{_describe_texts(rows)}"


def _describe_texts(rows: Sequence[Contrast]) -> str:
    """For which training examples verdicts hold."""
    return "".join(f". {sentence.removesuffix('.')}" for sentence in describe_training_texts(rows))


def _list_columns(findings: Findings) -> Iterator[Column]:
    study = findings.study
    yield Column("arm", "left", "bold")
    if len(study.sizes) > 1:
        yield Column("train size")
    if findings.grid_rows:
        yield Column("chosen", wraps=True)
    yield Column(f"test {study.metric}")
    yield Column("each seed", style="dim", wraps=True)
    if study.control_arm:
        points = ", points" if get_unit(study.metric) == "points" else ""
        median = ", median" if is_of_median(findings.stopping_rule) else ""
        yield Column(f"vs {study.control_arm}{points}{median}")
        yield Column("verdict", "left", wraps=True)


def _format_row(findings: Findings, arm: str, size: Size) -> Iterator[str]:
    study, metric = findings.study, findings.study.metric
    by_seed = findings.collect_test_scores(arm, size, metric)
    yield arm
    if len(study.sizes) > 1:
        yield str(size)
    if findings.grid_rows:
        yield _format_chosen(findings, arm, size)
    yield _format_mean(findings, arm, size)
    dead = _list_collapsed_seeds(findings, arm, size)
    yield " ".join(
        format_metric(metric, by_seed.get(seed)) + (MARK if seed in dead else "") for seed in study.seeds
    )
    if study.control_arm:
        yield from _format_difference(findings, arm, size)


def _list_collapsed_seeds(findings: Findings, arm: str, size: Size) -> set[int]:
    """Seeds whose run collapsed."""
    return {run.seed for run in findings.select_chosen(arm, size) if findings.collapses.get(run.key)}


def _format_chosen(findings: Findings, arm: str, size: Size) -> str:
    """The grid point that the arm is judged at; where seeds are at several, each with its number of seeds."""
    points = findings.count_judged_points(arm, size)
    if len(points) < 2:
        return "".join(format_hyperparameters(point) for point, _ in points) or "-"
    return "; ".join(f"{format_hyperparameters(point)} ({n_seeds})" for point, n_seeds in points)


def _format_mean(findings: Findings, arm: str, size: Size) -> str:
    metric = findings.study.metric
    for row in findings.summary:
        if (row.arm, row.size, row.metric) == (arm, size, metric):
            deviation = f" ± {format_metric(metric, row.std)}" if row.std is not None else ""
            return f"{format_metric(metric, row.mean)}{deviation}"
    has_failed = any((run.arm, run.size) == (arm, size) for run in findings.failed)
    return "failed" if has_failed else "-"


def _format_difference(findings: Findings, arm: str, size: Size) -> tuple[str, str]:
    """With its interval, and the verdict."""
    metric = findings.study.metric
    for row in findings.contrasts:
        if (row.arm, row.size, row.metric) == (arm, size, metric):
            ends = format_ends(row, findings.stopping_rule, describe_metric(metric), between=", ")
            interval = f" ({ends})" if ends == NO_USEFUL_INTERVAL else f" [{ends}]" if ends else ""
            difference = select_difference(row, findings.stopping_rule)
            verdict = format_verdict(row, findings.stopping_rule)
            return f"{format_metric(metric, difference, signed=True)}{interval}", verdict
    return ("control" if arm == findings.study.control_arm else "-"), ""


def render_grid_table(findings: Findings) -> TerminalTable:
    """What tuned arms tried: per arm and size the valid metric at each grid point, `*` at the chosen one."""
    study = findings.study
    has_sizes = len(study.sizes) > 1
    points = list(dict.fromkeys(format_hyperparameters(row.hyperparameters) for row in findings.grid_rows))
    return TerminalTable(
        (
            Column("arm", "left", "bold"),
            *[Column("train size")] * has_sizes,
            *(Column(point.replace(", ", "\n")) for point in points),
        ),
        list(_list_grid_cells(findings, points)),
        title=f"valid {study.metric} at each grid point",
        caption=f"* is the grid point chosen: {describe_choice(study)}. The test set is not used.",
        keys=2 if has_sizes else 1,
    )


def _list_grid_cells(findings: Findings, points: list[str]) -> Iterator[list[str | Text]]:
    study = findings.study
    for arm, size in dict.fromkeys((row.arm, row.size) for row in findings.grid_rows):
        rows = [row for row in findings.grid_rows if (row.arm, row.size) == (arm, size)]
        cells = {format_hyperparameters(row.hyperparameters): _format_grid_cell(row, study) for row in rows}
        head: list[str | Text] = [arm, *([str(size)] if len(study.sizes) > 1 else [])]
        yield [*head, *(cells.get(point, "") for point in points)]


def _format_grid_cell(row: GridRow, study: Study) -> Text:
    if row.mean is None:
        return Text("failed" if row.n_failed else "-")
    deviation = f" ± {format_metric(row.metric, row.std)}" if row.std is not None else ""
    n_seeds = len(get_choosing_seeds(study, study.arms[row.arm]))
    part = f" ({row.n_seeds} of {n_seeds})" if row.n_seeds < n_seeds else ""
    mark, style = ("* ", "bold") if row.chosen else ("", "")
    return Text(f"{mark}{format_metric(row.metric, row.mean)}{deviation}{part}", style=style)
