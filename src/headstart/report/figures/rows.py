"""Charts with a row for each arm: its name above what is drawn, so that long names have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headstart.report.figures.canvas import WIDTH, Canvas, draw_grid
from headstart.report.figures.palette import MUTED
from headstart.report.figures.words import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW: Final = 27.0
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
    draw_grid(axes, "x")
    for i, row in enumerate(rows):
        _write_row(canvas, row, canvas.height - 3 - _ROW * i)
    return axes


def _write_row(canvas: Canvas, row: Row, top: float) -> None:
    room = max(12, _LINE - len(row.text))
    canvas.write(_SIDE, top - 1, shorten(row.label, room), row.arm, va="top", weight="bold")
    canvas.write(WIDTH - _SIDE, top - 1, row.text, row.arm, va="top", ha="right", color=MUTED)
