"""Tables of what arms are worth in labels, or in updates, of their control."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.analysis.comparison import Comparison
from headstart.config.metrics import MetricInfo
from headstart.records import WorthRow
from headstart.report.named_tables import SIZE, NamedTable, add_size
from headstart.report.numbers import format_metric, format_worth, format_worth_interval
from headstart.report.worth import is_told


def name_worth_tables(comparison: Comparison, has_sizes: bool) -> Iterator[NamedTable]:
    """Those that say anything, in labels and in updates."""
    metric, control = comparison.metric, comparison.control
    label_worth = [row for row in comparison.label_worth if is_told(row)]
    if label_worth:
        head = _make_worth_head(comparison, "label worth", "labels", metric)
        rows = [head, *(_format_worth_row(row, comparison.info) for row in label_worth)]
        caption = f"How many labels {control} needs for the {metric} that an arm has with its own."
        yield NamedTable("label-worth", caption, rows, keys=2)
    step_worth = [row for row in comparison.step_worth if is_told(row)]
    if step_worth:
        head = _make_worth_head(comparison, "worth in updates", "updates", f"valid {metric}")
        cells = [add_size(_format_worth_row(row, comparison.info), row.size, has_sizes) for row in step_worth]
        rows = [add_size(head, SIZE, has_sizes), *cells]
        caption = f"How many updates {control} needs for the {metric} that an arm has after its own."
        yield NamedTable("step-worth", caption, rows, keys=2 if has_sizes else 1)


def _make_worth_head(comparison: Comparison, title: str, unit_of_worth: str, score: str) -> list[str]:
    amount = SIZE if unit_of_worth == "labels" else unit_of_worth
    return [title, amount, score, f"{unit_of_worth} of {comparison.control}", "95% CI"]


def _format_worth_row(row: WorthRow, metric: MetricInfo) -> list[str]:
    """How many labels, or updates, the control needs for the same score."""
    amount = f"{row.amount:,}" if row.amount else "-"
    score = format_metric(metric, row.score)
    return [row.arm, amount, score, format_worth(row, "worth"), format_worth_interval(row)]
