"""Charts with a row for each arm: its name above what is drawn, so that long names have room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from headstart.config.metrics import describe_metric
from headstart.report.figures.canvas import WIDTH, Canvas, find_limits
from headstart.report.figures.palette import GRID, MUTED
from headstart.report.figures.words import format_tick, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_ROW: Final = 27.0
#: Of a row's height, what its line of text takes.
_TEXT: Final = 0.38
_SIDE: Final = 5.0
_BOTTOM: Final = 26.0
#: Characters in the line above a row.
_LINE: Final = 56
#: Beyond so many a figure is no help.
MOST_ROWS: Final = 40


@dataclass(frozen=True)
class Row:
    """The line above a row: whose it is, and what is said at its right."""

    arm: str
    label: str
    text: str


def describe_limit(shown: int, count: int) -> str:
    """`, first 40 of 52`; nothing where all are shown."""
    return f", first {shown} of {count:,}" if shown < count else ""


def measure_rows(count: int) -> float:
    """The height of a canvas with that many rows, in points."""
    return _BOTTOM + _ROW * count + 3


def add_rows(canvas: Canvas, rows: Sequence[Row], label: str) -> Axes:
    """Axes below the rows' texts; the first row is at y 0, the next at -1, and so on."""
    axes = canvas.add_axes(_SIDE, _BOTTOM, _SIDE, 3)
    axes.set_ylim(-len(rows), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label, labelpad=2)
    for i, row in enumerate(rows):
        _write_row(canvas, row, canvas.height - 3 - _ROW * i)
    return axes


def scale_rows(axes: Axes, metric: str, values: Sequence[float]) -> None:
    """Have the axis hold these values of the metric, with faint lines at the ticks that are in sight."""
    info = describe_metric(metric)
    low, high = axes.set_xlim(*find_limits(values))
    axes.xaxis.set_major_formatter(lambda value, _: format_tick(info, value))
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    draw_upright(axes, ticks, color=GRID, linewidth=0.4, zorder=0.5)


def draw_upright(axes: Axes, places: Iterable[float], **style: Any) -> Line2D:
    """Lines from top to bottom, broken where rows have their texts, which no line is to cross."""
    x, y = list[float](), list[float]()
    for place in places:
        for row in range(round(-axes.get_ylim()[0])):
            x += [place, place, math.nan]
            y += [-row - _TEXT, -row - 1.0, math.nan]
    (line,) = axes.plot(x, y, **style)
    line.set_clip_on(False)
    return line


def _write_row(canvas: Canvas, row: Row, top: float) -> None:
    room = max(12, _LINE - len(row.text))
    canvas.write(_SIDE, top - 1, shorten(row.label, room), row.arm, va="top", weight="bold")
    canvas.write(WIDTH - _SIDE, top - 1, row.text, row.arm, va="top", ha="right", color=MUTED)
