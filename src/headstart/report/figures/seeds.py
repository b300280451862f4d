"""Draws every seed of each arm as a dot, with the mean, its interval and the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from headstart.analysis.findings import Findings
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.records import RunRecord, SummaryRow
from headstart.report.figures.canvas import Canvas, is_drawable, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.palette import INK, MUTED, ArmStyle
from headstart.report.figures.rows import (
    MOST_ROWS,
    Row,
    add_rows,
    describe_limit,
    draw_upright,
    measure_rows,
    scale_rows,
)
from headstart.report.figures.words import describe_size, label_axis
from headstart.report.numbers import format_interval, format_metric, format_score
from headstart.wording import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Heights in a row: dots above, the interval below them.
_DOTS, _INTERVAL = -0.49, -0.69
#: How much higher the dot of a seed stands that scores just what another does, and how often at most.
_STEP, _MOST_STEPS = 0.07, 2


def draw_seeds(findings: Findings, metric: str, size: Size, styles: Mapping[str, ArmStyle]) -> Figure | None:
    """Test scores of one metric at one size; None where there are none."""
    of_all = [row for row in findings.summary if (row.metric, row.size) == (metric, size)]
    rows = of_all[:MOST_ROWS]
    values = [score for row in rows for score in _list_scores(findings, row).values()]
    if not is_drawable(values):
        return None
    reference = findings.reference.scores.get(metric) if findings.reference else None
    with open_canvas(measure_rows(len(rows))) as canvas:
        axes = add_rows(canvas, [_head(row) for row in rows], label_axis(metric, what="test"))
        ends = [end for row in rows for end in _clip_ends(row) or ()]
        scale_rows(axes, metric, [*values, *ends, *([] if reference is None else [reference])])
        if reference is not None and findings.reference is not None:
            _draw_reference(
                canvas, axes, reference, f"{findings.reference.name}: {format_score(metric, reference)}"
            )
        for i, row in enumerate(rows):
            _draw_row(canvas, axes, findings, row, styles[row.arm], i)
        return make_figure(
            canvas,
            name_figure("seeds", metric, size),
            f"Test {metric} of every seed{describe_size(size)}{describe_limit(len(rows), len(of_all))}",
            " ".join(_describe(findings, rows, reference)),
            "seeds",
            metric,
            size,
        )


def _list_scores(findings: Findings, row: SummaryRow) -> dict[int, float]:
    return findings.collect_test_scores(row.arm, row.size, row.metric)


def _head(row: SummaryRow) -> Row:
    interval = (
        "" if row.seeds_low is None else f" ({format_interval(row.metric, row.seeds_low, row.seeds_high)})"
    )
    return Row(row.arm, row.arm, f"{format_metric(row.metric, row.mean)}{interval}")


def _clip_ends(row: SummaryRow) -> tuple[float, float] | None:
    """The interval's ends, no further than what the metric can be."""
    if row.seeds_low is None or row.seeds_high is None:
        return None
    lowest, highest = describe_metric(row.metric).bounds
    return max(row.seeds_low, lowest), min(row.seeds_high, highest)


def _draw_reference(canvas: Canvas, axes: Axes, value: float, tip: str) -> None:
    dashes = (0, (2, 2))
    line = draw_upright(axes, [value], color=MUTED, linewidth=0.8, linestyle=dashes, zorder=1.5)
    canvas.mark(line, tip=tip)


def _draw_row(
    canvas: Canvas, axes: Axes, findings: Findings, row: SummaryRow, style: ArmStyle, place: int
) -> None:
    metric = row.metric
    if ends := _clip_ends(row):
        tip = f"{row.arm}: 95% interval of the mean {format_interval(metric, *ends)}"
        canvas.draw_line(axes, ends, [_INTERVAL - place] * 2, style, tip, linewidth=1.4, linestyle="-")
    mean = [row.mean] * 2
    heights = (_INTERVAL - 0.11 - place, _INTERVAL + 0.11 - place)
    tip = f"{row.arm}: mean {format_score(metric, row.mean)} of {format_count(row.n_seeds, 'seed')}"
    canvas.draw_line(axes, mean, heights, style, tip, color=INK, linewidth=1.6, linestyle="-")
    seen: Counter[float | None] = Counter()
    for run in findings.select_chosen(row.arm, row.size):
        score = (run.test or {}).get(metric)
        height = _DOTS - place + _STEP * min(seen[score], _MOST_STEPS)
        seen[score] += 1
        _draw_seed(canvas, axes, findings, run, metric, style, height)


def _draw_seed(
    canvas: Canvas,
    axes: Axes,
    findings: Findings,
    run: RunRecord,
    metric: str,
    style: ArmStyle,
    height: float,
) -> None:
    score = (run.test or {}).get(metric)
    if score is None:
        return
    collapsed = findings.collapses.get(run.key) is not None
    tip = f"{run.arm}, seed {run.seed}: {format_score(metric, score)}{', collapsed' if collapsed else ''}"
    canvas.draw_point(axes, score, height, style, tip, hollow=collapsed)


def _describe(findings: Findings, rows: list[SummaryRow], reference: float | None) -> Iterator[str]:
    for row in rows:
        ends = format_interval(row.metric, row.seeds_low, row.seeds_high)
        interval = "" if ends == "-" else f", 95% interval {ends}"
        scores = ", ".join(
            format_metric(row.metric, value) for value in list(_list_scores(findings, row).values())[:10]
        )
        yield f"{row.arm}: mean {format_score(row.metric, row.mean)}{interval}; seeds {scores}."
    if any(
        findings.collapses.get(run.key) for row in rows for run in findings.select_chosen(row.arm, row.size)
    ):
        yield "Hollow dots are runs that collapsed to one answer."
    if reference is not None and findings.reference is not None:
        yield f"The dashed line is {findings.reference.name}: {format_score(rows[0].metric, reference)}."
