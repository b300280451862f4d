"""Draws calibration: how often answers are right, by how confident they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from headstart.analysis.details.classes import Calibration
from headstart.config.sizes import Size
from headstart.report.figures.canvas import Canvas, draw_grid, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.legend import draw_legend, measure_legend
from headstart.report.figures.palette import MUTED, ArmStyle
from headstart.report.figures.words import describe_size
from headstart.report.numbers import format_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT: Final = 168.0


def draw_calibration(
    calibrations: Sequence[Calibration], size: Size, styles: dict[str, ArmStyle]
) -> Figure | None:
    """Of all arms at one size; None where none has probabilities."""
    shown = [one for one in calibrations if one.size == size and one.bins]
    if not shown:
        return None
    names = [one.arm for one in shown]
    with open_canvas(_PLOT + measure_legend(names)) as canvas:
        axes = canvas.add_axes(34, 26 + measure_legend(names), 8, 5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        axes.set_xlabel("mean confidence, %", labelpad=2)
        axes.set_ylabel("right, %", labelpad=3)
        draw_grid(axes)
        (diagonal,) = axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.7, linestyle=(0, (2, 2)))
        canvas.mark(diagonal, tip="as often right as confident")
        for one in shown:
            style = styles[one.arm]
            canvas.draw_line(axes, [b.confidence for b in one.bins], [b.accuracy for b in one.bins], style)
            _draw_bins(canvas, axes, one, style)
        draw_legend(canvas, names, styles)
        return make_figure(
            canvas,
            name_figure("calibration", size),
            f"How often answers are right, by their confidence{describe_size(size)}",
            " ".join(
                f"{one.arm}: expected calibration error {format_score('accuracy', one.error)}."
                for one in shown
            ),
            "calibration",
            None,
            size,
        )


def _draw_bins(canvas: Canvas, axes: Axes, one: Calibration, style: ArmStyle) -> None:
    for b in one.bins:
        confidence, accuracy = (format_score("accuracy", value) for value in (b.confidence, b.accuracy))
        tip = f"{one.arm}: {accuracy} right at {confidence} confidence, {b.count:,} answers"
        canvas.draw_point(axes, b.confidence, b.accuracy, style, tip)
