"""Renders a comparison for a terminal, in Markdown or in LaTeX: the same cells, with notes below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.comparison import Comparison
from headstart.config.metrics import MetricInfo
from headstart.data.markdown import escape_markdown_cell
from headstart.records import Contrast, SummaryRow, TierRow, WorthRow
from headstart.report.collapsed import mark_mean
from headstart.report.conclusions import (
    close_comparison,
    describe_level,
    explain_comparison,
    format_verdict,
    is_adjusted,
)
from headstart.report.intervals import format_ends
from headstart.report.numbers import (
    format_interval,
    format_metric,
    format_p,
    format_worth,
    format_worth_interval,
    get_unit,
)
from headstart.report.one_more_run import make_one_more_run_table
from headstart.report.references import make_reference_row
from headstart.report.stopping import is_of_median, select_difference
from headstart.report.table_formats import (
    Rows,
    render_latex_table,
    render_markdown_table,
    render_terminal_table,
)
from headstart.report.win_rates import list_win_rate_sizes, make_win_rates_table
from headstart.report.worth import is_told
from headstart.report.written_answers import render_answers
from headstart.wording import format_names

#: Headings that take two lines on a terminal.
_TWO_LINES: Final = frozenset(
    {"95% seeds", "95% examples", "worst, best", "± pop.", "p, sign flip", "p, adjusted"}
)


def render_comparison(comparison: Comparison, *, all_notes: bool = False) -> RenderableType:
    """Tables and the notes that matter most, or all of them, for a terminal."""
    tables = (
        render_terminal_table(rows, two_line_heads=_TWO_LINES, unbroken=set(rows[0]) - {"verdict"})
        for rows in make_tables(comparison)
    )
    shown: list[RenderableType] = [part for table in tables for part in (table, Text())]
    answers = render_answers(comparison.answers)
    shown += [*answers[1:], Text()] if answers else []
    notes = explain_comparison(comparison) if all_notes else close_comparison(comparison, "add --all")
    return Group(*shown, *map(Text, notes))


def describe_comparison(comparison: Comparison) -> dict[str, Any]:
    """Plain values, for `--json`, with every sentence about them."""
    return comparison.to_dict() | {"sentences": explain_comparison(comparison)}


def render_comparison_markdown(comparison: Comparison) -> str:
    """The same in Markdown."""
    tables = (render_markdown_table(rows) for rows in make_tables(comparison))
    return "\n\n".join([*tables, *map(escape_markdown_cell, explain_comparison(comparison))]) + "\n"


def render_comparison_latex(comparison: Comparison) -> str:
    """The same in LaTeX, notes as comments."""
    tables = (render_latex_table(rows) for rows in make_tables(comparison))
    notes = (f"% {' '.join(note.split())}" for note in explain_comparison(comparison))
    return "\n\n".join([*tables, *notes]) + "\n"


def make_tables(comparison: Comparison) -> Iterator[Rows]:
    """Arms, contrasts, one more run, prompts won, worth in labels and updates, each under its heading."""
    has_sizes = any(row.size != "all" for row in comparison.summary)
    if comparison.tiers:
        yield _make_tiers_table(comparison)
        return
    yield _make_models_table(comparison) if comparison.of_models else _make_arms_table(comparison, has_sizes)
    if comparison.contrasts:
        yield _make_contrasts_table(comparison, has_sizes)
    if one_run := make_one_more_run_table(comparison):
        sizes = ["size", *(row.size for row in comparison.summary)]
        yield [_add_size(cells, size, has_sizes) for cells, size in zip(one_run, sizes, strict=True)]
    if won := make_win_rates_table(comparison):
        sizes = ["size", *list_win_rate_sizes(comparison)]
        yield [_add_size(cells, size, has_sizes) for cells, size in zip(won, sizes, strict=True)]
    label_worth = [row for row in comparison.label_worth if is_told(row)]
    if label_worth:
        head = _make_worth_head(comparison, "label worth", "labels", comparison.metric)
        yield [head, *(_format_worth_row(row, comparison.info) for row in label_worth)]
    step_worth = [row for row in comparison.step_worth if is_told(row)]
    if step_worth:
        head = _make_worth_head(comparison, "worth in updates", "updates", f"valid {comparison.metric}")
        cells = [
            _add_size(_format_worth_row(row, comparison.info), row.size, has_sizes) for row in step_worth
        ]
        yield [_add_size(head, "size", has_sizes), *cells]


def _add_size(cells: list[str], size: object, has_sizes: bool) -> list[str]:
    """With the training-set size after the arm, in studies that have several."""
    return [cells[0], str(size), *cells[1:]] if has_sizes else cells


def _make_tiers_table(comparison: Comparison) -> Rows:
    """Arms, the best mean first, and which of them may be the best: no ranks, which chance would order."""
    of_arm = {row.arm: row for row in comparison.summary}
    head = ["arm", "runs", comparison.metric, "95% examples", "may be best", "beaten by"]
    return [head, *(_format_tier(row, of_arm[row.arm], comparison.info) for row in comparison.tiers)]


def _format_tier(row: TierRow, summary: SummaryRow, metric: MetricInfo) -> list[str]:
    return [
        row.arm,
        str(summary.n_seeds),
        *_format_examples(summary, metric),
        "yes" if row.may_be_best else "no",
        format_names(row.beaten_by) or "-",
    ]


def _make_models_table(comparison: Comparison) -> Rows:
    """Of arms with a single run, which has no spread over seeds."""
    head = ["arm", comparison.metric, "95% examples"]
    rows = comparison.summary
    return [head, *([row.arm, *_format_examples(row, comparison.info)] for row in rows)]


def _format_examples(row: SummaryRow, metric: MetricInfo) -> list[str]:
    """The mean, and its interval over examples."""
    return [format_metric(metric, row.mean), format_interval(metric, row.examples_low, row.examples_high)]


def _make_arms_table(comparison: Comparison, has_sizes: bool) -> Rows:
    head = ["arm", "seeds", comparison.metric, "± pop.", "95% seeds", "95% examples", "worst, best"]
    rows = [_format_arm(row, comparison) for row in comparison.summary]
    cells = [_add_size(row, of.size, has_sizes) for row, of in zip(rows, comparison.summary, strict=True)]
    titles = _add_size(head, "size", has_sizes)
    reference = make_reference_row(comparison.reference, comparison.info, titles)
    return [titles, *cells, *([reference] if reference else [])]


def _format_arm(row: SummaryRow, comparison: Comparison) -> list[str]:
    metric = comparison.info
    mean = format_metric(metric, row.mean)
    return [
        row.arm,
        str(row.n_seeds),
        mark_mean(
            f"{mean} ± {format_metric(metric, row.std)}" if row.std is not None else mean,
            row,
            comparison.outcomes,
        ),
        f"± {format_metric(metric, row.std_population)}" if row.n_seeds > 1 else "-",
        format_interval(metric, row.seeds_low, row.seeds_high),
        format_interval(metric, row.examples_low, row.examples_high),
        f"{row.worst_seed}, {row.best_seed}",
    ]


def _make_contrasts_table(comparison: Comparison, has_sizes: bool) -> Rows:
    against = f"against {comparison.control}" if comparison.control else "B against A"
    rule = comparison.stopping_rule
    columns = ["95%, anytime", "seeds"] if rule else _name_columns(comparison)
    median = "median, " if is_of_median(rule) else ""
    head = [against, f"{median}{get_unit(comparison.info)}", *columns, "verdict"]
    cells = [
        _add_size(_format_contrast(row, comparison), row.size, has_sizes) for row in comparison.contrasts
    ]
    return [_add_size(head, "size", has_sizes), *cells]


def _name_columns(comparison: Comparison) -> list[str]:
    """Of intervals and p values, which hold for all contrasts at once; signs of one run tell nothing."""
    names = [
        describe_level(comparison.contrasts),
        "p, adjusted" if is_adjusted(comparison.contrasts) else "p",
    ]
    return names if comparison.of_models else [*names, "p, sign flip"]


def _format_contrast(row: Contrast, comparison: Comparison) -> list[str]:
    metric = comparison.info
    interval = format_ends(row, comparison.stopping_rule, metric) or "-"
    if comparison.stopping_rule is not None:
        figures = [interval, str(row.n_seeds)]
    else:
        signs = [] if comparison.of_models else [format_p(row.p_sign_flip)]
        figures = [interval, format_p(row.p_adjusted), *signs]
    rule = comparison.stopping_rule
    difference = select_difference(row, rule)
    return [row.arm, format_metric(metric, difference, signed=True), *figures, format_verdict(row, rule)]


def _make_worth_head(comparison: Comparison, title: str, unit_of_worth: str, score: str) -> list[str]:
    return [title, unit_of_worth, score, f"{unit_of_worth} of {comparison.control}", "95%"]


def _format_worth_row(row: WorthRow, metric: MetricInfo) -> list[str]:
    """How many labels, or updates, the control needs for the same score."""
    amount = f"{row.amount:,}" if row.amount else "-"
    score = format_metric(metric, row.score)
    return [row.arm, amount, score, format_worth(row, "worth"), format_worth_interval(row)]
