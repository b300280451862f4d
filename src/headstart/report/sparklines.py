"""Curves as a line of small blocks, for a terminal: the best valid score so far by epoch, an arm a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from headstart.analysis.details.curves import ArmCurve
from headstart.config.metrics import MetricInfo
from headstart.report.numbers import format_metric

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
#: Characters of a line, so that it fits beside an arm's name at 60 columns.
_WIDTH: Final = 24
#: Epochs below which a curve says nothing.
_FEWEST: Final = 3


def draw_sparkline(values: Sequence[float], low: float, high: float) -> str:
    """A block for each of the values, from `low` to `high`; a space where one is no finite number."""
    step = (high - low) / (len(_BLOCKS) - 1)
    heights = [round((value - low) / step) if step > 0 else 0 for value in values if low <= value <= high]
    blocks = iter(_BLOCKS[height] for height in heights)
    return "".join(next(blocks) if low <= value <= high else " " for value in values)


def render_sparklines(curves: Sequence[ArmCurve], metric: MetricInfo) -> list[Text]:
    """A line for each arm at the last size, all on one scale; nothing where no arm trained long enough."""
    shown = [curve for curve in curves if len(curve.epochs) >= _FEWEST and curve.size == curves[-1].size]
    finite = [value for curve in shown for value in curve.best_valid if abs(value) < float("inf")]
    if not finite:
        return []
    return [
        Text(f"best valid {metric.name} so far, by epoch, mean over seeds:"),
        *_draw_lines(shown, finite, metric),
    ]


def _draw_lines(curves: Sequence[ArmCurve], finite: Sequence[float], metric: MetricInfo) -> Iterator[Text]:
    wide = max(len(curve.arm) for curve in curves)
    low, high = min(finite), max(finite)
    for curve in curves:
        values = thin_values(curve.best_valid, _WIDTH)
        ends = " to ".join(format_metric(metric, value) for value in (values[0], values[-1]))
        yield Text(f"  {curve.arm:<{wide}}  {draw_sparkline(values, low, high):<{_WIDTH}}  {ends}".rstrip())


def thin_values(values: Sequence[float], most: int) -> list[float]:
    """At most so many of them, evenly spaced, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
