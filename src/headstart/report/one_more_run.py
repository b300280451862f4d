"""What one run will give: its score, whether it beats one of the control, and how many fewer errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.analysis.comparison import Comparison
from headstart.config.metrics import MetricInfo
from headstart.records import Contrast, SummaryRow
from headstart.report.numbers import format_interval

_NONE: Final = "-"
_NOTE: Final = (
    "One more run: where another seed is expected on these test examples, and how often one run of the arm "
    "beats one of the control (over all pairs of runs), each with 95%."
)
_ERRORS_NOTE: Final = "Intervals of errors are at the level of the verdicts."


def make_one_more_run_table(comparison: Comparison) -> list[list[str]]:
    """A heading and a row for each arm, in the order of the arms' table; nothing where nothing is known."""
    if comparison.tiers:
        return []
    contrasts = {(row.arm, row.size): row for row in comparison.contrasts}
    has_errors = _has_errors(comparison)
    control = comparison.control or "A"
    head = ["one more run", f"{comparison.metric}, 95%", f"beats one of {control}"]
    rows = [
        _format_row(row, contrasts.get((row.arm, row.size)), comparison.info, has_errors=has_errors)
        for row in comparison.summary
    ]
    if all(cell == _NONE for row in rows for cell in row[1:]):
        return []
    return [head + [_name_errors(comparison.info)] * has_errors, *rows]


def explain_one_more_run(comparison: Comparison) -> Iterator[str]:
    """What the table's figures are, where it is shown."""
    if make_one_more_run_table(comparison):
        has_errors = _has_errors(comparison)
        yield f"{_NOTE} {_ERRORS_NOTE}" if has_errors else _NOTE


def describe_errors(row: Contrast, metric: MetricInfo) -> str:
    """`38% fewer errors (12 to 56%)`; nothing where arms are not near their ceiling, or it has no end."""
    found = row.relative_errors
    if found is None or found.low is None:
        return ""
    is_fewer = found.reduction >= 0
    low, high = (found.low, found.high) if is_fewer else (-found.high, -found.low)
    what = _name_errors(metric) if is_fewer else _name_errors(metric, "more", "more")
    return f"{100 * abs(found.reduction):.0f}% {what} ({100 * low:.0f} to {100 * high:.0f}%)"


def _has_errors(comparison: Comparison) -> bool:
    """Whether some errors have an interval, without which none are shown."""
    found = (row.relative_errors for row in comparison.contrasts)
    return any(errors is not None and errors.low is not None for errors in found)


def _format_row(
    row: SummaryRow, contrast: Contrast | None, metric: MetricInfo, *, has_errors: bool
) -> list[str]:
    interval = format_interval(metric, row.one_more_low, row.one_more_high)
    return [row.arm, interval, _format_chance(contrast), *[_format_errors(contrast)] * has_errors]


def _format_chance(row: Contrast | None) -> str:
    if row is None or row.one_run is None:
        return _NONE
    chance = row.one_run
    return f"{100 * chance.probability:.0f}% ({100 * chance.low:.0f} to {100 * chance.high:.0f})"


def _format_errors(row: Contrast | None) -> str:
    found = row.relative_errors if row is not None else None
    if found is None or found.low is None:
        return _NONE
    return f"{100 * found.reduction:.0f}% ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _name_errors(metric: MetricInfo, fewer: str = "fewer", less: str = "less") -> str:
    """Of a share that does not count right answers, such as F1, what is left to one."""
    return f"{fewer} errors" if metric.counts_errors else f"{less} 1 - {metric.name}"
