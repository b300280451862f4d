"""Draws what labels are worth: scores by training size, and how many more labels the control needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from headstart.analysis.findings import Findings
from headstart.config.metrics import describe_metric
from headstart.records import SummaryRow, WorthRow
from headstart.report.figures.canvas import Canvas, draw_grid, find_limits, is_drawable, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.legend import draw_legend, measure_legend
from headstart.report.figures.palette import ArmStyle
from headstart.report.figures.words import format_tick, label_axis
from headstart.report.numbers import format_interval, format_score, format_worth, format_worth_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT: Final = 140.0


def draw_labels(findings: Findings, metric: str, styles: dict[str, ArmStyle]) -> Figure | None:
    """Mean test scores with their intervals by training size; None where there is one size."""
    rows = [row for row in findings.summary if row.metric == metric]
    amounts = _find_amounts(findings)
    rows = [row for row in rows if row.size in amounts]
    if len({amounts[row.size] for row in rows}) < 2 or not is_drawable([row.mean for row in rows]):
        return None
    names = list(dict.fromkeys(row.arm for row in rows))
    worths = [row for row in findings.label_worth if row.metric == metric]
    with open_canvas(_PLOT + measure_legend(names)) as canvas:
        axes = _add_plot(canvas, names, metric, rows, sorted(set(amounts.values())))
        for name in names:
            _draw_arm(canvas, axes, [row for row in rows if row.arm == name], amounts, styles[name])
        for worth in worths:
            _draw_worth(canvas, axes, worth, styles[worth.arm])
        draw_legend(canvas, names, styles)
        return make_figure(
            canvas,
            name_figure("labels", metric),
            f"Test {metric} by number of training examples",
            " ".join(_describe(rows, worths, amounts)),
            "labels",
            metric,
        )


def _find_amounts(findings: Findings) -> dict[int | str, int]:
    """By size the number of training examples."""
    return {record.size: record.train_examples for record in findings.records if record.train_examples > 0}


def _add_plot(
    canvas: Canvas, names: Sequence[str], metric: str, rows: Sequence[SummaryRow], amounts: Sequence[int]
) -> Axes:
    from matplotlib.ticker import NullFormatter, NullLocator

    info = describe_metric(metric)
    axes = canvas.add_axes(30, 26 + measure_legend(names), 8, 5)
    axes.set_xscale("log")
    axes.set_xlim(amounts[0] / 1.12, amounts[-1] * 1.12)
    axes.set_xticks(amounts, [f"{amount:,}" for amount in amounts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(*find_limits([end for row in rows for end in (row.mean, *_clip_ends(row))]))
    axes.yaxis.set_major_formatter(lambda value, _: format_tick(info, value))
    axes.set_xlabel("training examples", labelpad=2)
    axes.set_ylabel(label_axis(metric, what="test"), labelpad=3)
    draw_grid(axes)
    return axes


def _clip_ends(row: SummaryRow) -> tuple[float, ...]:
    if row.seeds_low is None or row.seeds_high is None:
        return ()
    lowest, highest = describe_metric(row.metric).bounds
    return max(row.seeds_low, lowest), min(row.seeds_high, highest)


def _draw_arm(
    canvas: Canvas, axes: Axes, rows: Sequence[SummaryRow], amounts: dict[int | str, int], style: ArmStyle
) -> None:
    ordered = sorted(rows, key=lambda row: amounts[row.size])
    canvas.draw_line(
        axes, [amounts[row.size] for row in ordered], [row.mean for row in ordered], style, linewidth=1.2
    )
    for row in ordered:
        x, ends = amounts[row.size], _clip_ends(row)
        what = f"{row.arm}, {x:,} examples"
        if ends:
            tip = f"{what}: 95% interval {format_interval(row.metric, *ends)}"
            canvas.draw_line(axes, (x, x), ends, style, tip, linewidth=0.8, linestyle="-", alpha=0.7)
        canvas.draw_point(axes, x, row.mean, style, f"{what}: {format_score(row.metric, row.mean)}", size=3.6)


def _draw_worth(canvas: Canvas, axes: Axes, row: WorthRow, style: ArmStyle) -> None:
    """From the arm's score across to where the control reaches it."""
    if row.worth is not None:
        canvas.draw_line(
            axes, (row.amount, row.worth), (row.score, row.score), style, _tell_worth(row),
            linewidth=0.7, linestyle=(0, (1, 1.5)), marker="|", markersize=4, markevery=[1],
        )  # fmt: skip


def _tell_worth(row: WorthRow) -> str:
    return (
        f"{row.arm}, {row.amount:,} examples: worth {format_worth(row, 'worth')} "
        f"({format_worth_interval(row)}) of {row.control}"
    )


def _describe(
    rows: Sequence[SummaryRow], worths: Sequence[WorthRow], amounts: dict[int | str, int]
) -> Iterator[str]:
    for row in rows[:24]:
        yield f"{row.arm}, {amounts[row.size]:,} examples: {format_score(row.metric, row.mean)}."
    for worth in worths[:12]:
        yield f"{_tell_worth(worth)}."
