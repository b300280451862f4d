"""Which interval of a contrast is shown, and whether it says anything; words around it are made elsewhere."""

from __future__ import annotations

from typing import Final

from headstart.analysis.judging import select_ends
from headstart.config.metrics import MetricInfo
from headstart.records import Contrast, StoppingRule
from headstart.report.numbers import format_metric

#: The share of what a difference can be from which on an interval that spans it tells nobody anything.
_NEARLY_ALL: Final = 0.75
#: What is shown in its place.
NO_USEFUL_INTERVAL: Final = "no useful interval"


def select_interval(row: Contrast, rule: StoppingRule | None) -> tuple[float | None, float | None]:
    """The interval that verdicts follow: the one that holds for all contrasts at once, and where seeds were
    added by a rule the confidence sequence, which does so too."""
    return select_ends(row, is_sequential=rule is not None)


def is_tested(row: Contrast) -> bool:
    """Whether there is anything to read a verdict off: an interval or a p value, which one seed has not."""
    return any(value is not None for value in (row.low, row.sequence_low, row.p, row.p_sign_flip))


def is_useful(low: float, high: float, metric: MetricInfo) -> bool:
    """Whether an interval leaves out a notable part of what a difference can be: 50 of 200 points.

    A metric without a limit always has one that does.
    """
    lowest, highest = metric.bounds
    return high - low < _NEARLY_ALL * 2 * (highest - lowest)


def format_ends(row: Contrast, rule: StoppingRule | None, metric: MetricInfo, between: str = " to ") -> str:
    """`+9.3 to +25.1`, `no useful interval`, or nothing where there is none."""
    low, high = select_interval(row, rule)
    if low is None or high is None:
        return ""
    if not is_useful(low, high, metric):
        return NO_USEFUL_INTERVAL
    return between.join(format_metric(metric, end, signed=True) for end in (low, high))


def holds_zero(row: Contrast, rule: StoppingRule | None) -> bool | None:
    """Whether the interval shown leaves it open which arm is better; None without one."""
    low, high = select_interval(row, rule)
    return None if low is None or high is None else low <= 0 <= high
