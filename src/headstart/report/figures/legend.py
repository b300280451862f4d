"""The legend below a plot: a line for each arm with its colour, marker and dashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from headstart.report.figures.canvas import WIDTH, Canvas
from headstart.report.figures.palette import MUTED, ArmStyle
from headstart.report.figures.words import measure, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE: Final = 10.0
_KEY: Final = 22.0
_MOST: Final = 16
_LONGEST: Final = 48


def place_legend(arms: Sequence[str]) -> list[list[str]]:
    """The arms line by line, as many as a line has room for."""
    lines: list[list[str]] = []
    room = 0.0
    for arm in arms[:_MOST]:
        width = _KEY + measure(shorten(arm, _LONGEST)) + 8
        if not lines or width > room:
            lines.append([])
            room = WIDTH - 10
        lines[-1].append(arm)
        room -= width
    return lines


def measure_legend(arms: Sequence[str]) -> float:
    """Its height in points."""
    return _LINE * (len(place_legend(arms)) + (len(arms) > _MOST)) + 3


def draw_legend(canvas: Canvas, arms: Sequence[str], styles: dict[str, ArmStyle]) -> None:
    """At the foot of the canvas."""
    axes = canvas.add_axes(0, 0, 0, 0)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, canvas.height)
    axes.set_axis_off()
    y = measure_legend(arms) - _LINE / 2 - 1
    for line in place_legend(arms):
        _draw_keys(canvas, axes, line, styles, y)
        y -= _LINE
    if len(arms) > _MOST:
        canvas.write(5, y, f"and {len(arms) - _MOST} more arms", color=MUTED, va="center")


def _draw_keys(
    canvas: Canvas, axes: Axes, arms: Sequence[str], styles: dict[str, ArmStyle], y: float
) -> None:
    x = 5.0
    for arm in arms:
        style, text = styles[arm], shorten(arm, _LONGEST)
        canvas.draw_line(
            axes,
            (x, x + 9, x + 18),
            (y, y, y),
            style,
            marker=style.marker,
            markersize=3,
            markevery=[1],
            linewidth=1.4,
        )
        canvas.write(x + _KEY, y, text, arm, va="center_baseline")
        x += _KEY + measure(text) + 8
