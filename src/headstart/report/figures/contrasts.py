"""Draws contrasts as a forest plot: differences with intervals, zero, the margin and verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.analysis.findings import Findings
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.records import Contrast, Margin, StoppingRule
from headstart.report.figures.canvas import Canvas, is_drawable, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.palette import GRID, MUTED, ArmStyle
from headstart.report.figures.rows import (
    MOST_ROWS,
    Row,
    add_rows,
    describe_limit,
    draw_upright,
    measure_rows,
    scale_rows,
)
from headstart.report.figures.words import describe_size
from headstart.report.intervals import format_ends, select_interval
from headstart.report.numbers import format_interval, format_margin, format_metric, get_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = -0.58


@dataclass(frozen=True)
class DrawnContrasts:
    """Contrasts of one metric at one size, its margin if any, and the rule that added seeds."""

    rows: Sequence[Contrast]
    margin: Margin | None
    stopping_rule: StoppingRule | None


def draw_contrasts(
    findings: Findings, metric: str, size: Size, styles: Mapping[str, ArmStyle]
) -> Figure | None:
    """Those of one metric at one size, of baselines too; None where there are none."""
    every = (*findings.contrasts, *findings.baseline_contrasts)
    rows = [row for row in every if (row.metric, row.size) == (metric, size)]
    margin = findings.margin if metric == findings.study.metric else None
    return draw_contrast_rows(DrawnContrasts(rows, margin, findings.stopping_rule), styles)


def draw_contrast_rows(drawn: DrawnContrasts, styles: Mapping[str, ArmStyle]) -> Figure | None:
    """The first of them; None where there are none."""
    rows = drawn.rows[:MOST_ROWS]
    if not is_drawable([row.difference for row in rows]):
        return None
    metric, size = rows[0].metric, rows[0].size
    info = describe_metric(metric)
    side = "left" if info.lower_is_better else "right"
    with open_canvas(measure_rows(len(rows))) as canvas:
        label = f"difference in {metric}, {get_unit(metric)} ({side}: better)"
        axes = add_rows(canvas, [_head(drawn, row) for row in rows], label)
        scale_rows(axes, metric, [0.0, *_list_ends(drawn, rows)])
        _draw_zero(canvas, axes, drawn.margin, metric)
        for i, row in enumerate(rows):
            _draw_row(canvas, axes, drawn, row, styles[row.arm], _HEIGHT - i)
        return make_figure(
            canvas,
            name_figure("contrasts", metric, size),
            f"Differences in {metric} from the control{describe_size(size)}"
            f"{describe_limit(len(rows), len(drawn.rows))}",
            " ".join(_describe(drawn, rows)),
            "contrasts",
            metric,
            size,
        )


def _head(drawn: DrawnContrasts, row: Contrast) -> Row:
    info = describe_metric(row.metric)
    ends = format_ends(row, drawn.stopping_rule, info)
    shown = f"{format_metric(row.metric, row.difference, signed=True)}{f' ({ends})' if ends else ''}"
    return Row(row.arm, f"{row.arm} - {row.control}", f"{shown} {row.verdict}")


def _list_ends(drawn: DrawnContrasts, rows: Sequence[Contrast]) -> Iterator[float]:
    """What the axis is to hold; intervals no further than what a difference can be."""
    for row in rows:
        lowest, highest = describe_metric(row.metric).bounds
        most = highest - lowest
        yield row.difference
        for end in (row.low, row.high, *select_interval(row, drawn.stopping_rule)):
            if end is not None:
                yield max(-most, min(end, most))


def _draw_zero(canvas: Canvas, axes: Axes, margin: Margin | None, metric: str) -> None:
    if margin is not None:
        half = margin.value / describe_metric(metric).points
        band = axes.axvspan(-half, half, color=GRID, alpha=0.6, linewidth=0)
        canvas.mark(band, tip=f"margin: {format_margin(metric, margin.value)}")
    line = draw_upright(axes, [0.0], color=MUTED, linewidth=0.8, zorder=1.5)
    canvas.mark(line, tip="no difference")


def _draw_row(
    canvas: Canvas, axes: Axes, drawn: DrawnContrasts, row: Contrast, style: ArmStyle, y: float
) -> None:
    name = f"{row.arm} - {row.control}"
    wide = select_interval(row, drawn.stopping_rule)
    for (low, high), width, what in (
        (wide, 0.8, "interval that verdicts follow"),
        ((row.low, row.high) if drawn.stopping_rule is None else (None, None), 2.0, "95% interval"),
    ):
        if low is not None and high is not None:
            tip = f"{name}: {what} {format_interval(row.metric, low, high, signed=True)}"
            canvas.draw_line(axes, (low, high), (y, y), style, tip, linewidth=width, linestyle="-")
    canvas.draw_point(axes, row.difference, y, style, f"{name}: {_tell(row)}, {row.verdict}", size=4.4)


def _tell(row: Contrast) -> str:
    return f"{format_metric(row.metric, row.difference, signed=True)} {get_unit(row.metric)}"


def _describe(drawn: DrawnContrasts, rows: Sequence[Contrast]) -> Iterator[str]:
    for row in rows:
        ends = format_ends(row, drawn.stopping_rule, describe_metric(row.metric))
        amount = f"{_tell(row)}{f', interval {ends}' if ends else ''}"
        yield f"{row.arm} against {row.control}: {amount}: {row.verdict}."
    if drawn.margin is not None:
        yield f"The band is the margin of {format_margin(rows[0].metric, drawn.margin.value)}."
    if drawn.stopping_rule is None and any(row.family_low is not None for row in rows):
        yield "Thick lines are unadjusted 95% intervals; thin ones are adjusted for all contrasts."
