"""Draws what a tuned arm's grid scored on valid: a line by one setting, or a map by two."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from headstart.analysis.findings import Findings
from headstart.config.metrics import describe_metric, is_better
from headstart.config.sizes import Size
from headstart.records import GridRow
from headstart.report.figures.canvas import Canvas, draw_grid, find_limits, is_drawable, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.palette import INK, MUTED, ArmStyle
from headstart.report.figures.words import describe_size, format_tick, label_axis, shorten
from headstart.report.numbers import format_hyperparameters, format_metric, format_score
from headstart.wording import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT: Final = 140.0
_NAMES: Final = {"learning_rate": "learning rate", "weight_decay": "weight decay"}


def draw_tuning(findings: Findings, arm: str, size: Size, styles: dict[str, ArmStyle]) -> Figure | None:
    """The grid of an arm at one size; None where it has none, or nothing of it ended."""
    rows = [row for row in findings.grid_rows if (row.arm, row.size) == (arm, size)]
    if not is_drawable([_score(row) for row in rows]):
        return None
    axes_names = [name for name in rows[0].hyperparameters if len(_list_values(rows, name)) > 1]
    names = axes_names or list(rows[0].hyperparameters)[:1]
    with open_canvas(_HEIGHT if len(names) == 1 else _measure_map(rows, names)) as canvas:
        if len(names) == 1:
            _draw_one_axis(canvas, findings, rows, names[0], styles[arm])
        else:
            _draw_map(canvas, rows, (names[0], names[1]), styles[arm])
        return make_figure(
            canvas,
            name_figure("tuning", list(styles).index(arm), arm, size),
            f"Valid {rows[0].metric} by setting of {shorten(arm, 60)}{describe_size(size)}",
            " ".join(_describe(rows, names)),
            "tuning",
            rows[0].metric,
            size,
        )


def _score(row: GridRow) -> float:
    return math.nan if row.mean is None else row.mean


def _list_values(rows: Sequence[GridRow], name: str) -> list[float]:
    return sorted({row.hyperparameters[name] for row in rows})


def _draw_one_axis(
    canvas: Canvas, findings: Findings, rows: Sequence[GridRow], name: str, style: ArmStyle
) -> None:
    """Values of a grid are evenly apart, as they mostly are on a log scale; seeds are small hollow dots."""
    values, metric = _list_values(rows, name), rows[0].metric
    info, seeds = describe_metric(metric), list(_list_seeds(findings, rows))
    axes = canvas.add_axes(30, 26, 8, 14)
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.set_xlim(-0.3, len(values) - 0.7)
    axes.set_ylim(*find_limits([*(_score(row) for row in rows), *(score for _, _, score in seeds)], 0.1))
    axes.yaxis.set_major_formatter(lambda value, _: format_tick(info, value))
    axes.set_xlabel(_NAMES.get(name, name), labelpad=2)
    axes.set_ylabel(label_axis(metric, what="valid"), labelpad=3)
    draw_grid(axes)
    ordered = sorted(rows, key=lambda row: row.hyperparameters[name])
    canvas.draw_line(axes, range(len(ordered)), [_score(row) for row in ordered], style, linewidth=1.2)
    for row, seed, score in seeds:
        place = values.index(row.hyperparameters[name])
        tip = f"{name} {row.hyperparameters[name]:g}, seed {seed}: {format_score(metric, score)}"
        canvas.draw_point(axes, place, score, style, tip, hollow=True, size=2.2)
    for place, row in enumerate(ordered):
        canvas.draw_point(axes, place, _score(row), style, _tell(row), size=4.2)
        if row.chosen:
            _ring(canvas, axes, place, _score(row))
    if edge := _describe_edge(rows, [name]):
        canvas.write(30, canvas.height - 2, edge, va="top", color=MUTED)


def _list_seeds(findings: Findings, rows: Sequence[GridRow]) -> Iterator[tuple[GridRow, int, float]]:
    """Scores on valid of the runs that chose."""
    for row in rows:
        for run in findings.records:
            same = (run.arm, run.size, run.hyperparameters) == (row.arm, row.size, row.hyperparameters)
            if same and run.valid and row.metric in run.valid and row.n_seeds > 1:
                yield row, run.seed, run.valid[row.metric]


def _ring(canvas: Canvas, axes: Axes, x: float, y: float) -> None:
    (ring,) = axes.plot(
        [x], [y], "o", markersize=8.5, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.9
    )
    canvas.mark(ring, tip="chosen")


def _measure_map(rows: Sequence[GridRow], names: Sequence[str]) -> float:
    return 42 + 20.0 * len(_list_values(rows, names[1]))


def _draw_map(canvas: Canvas, rows: Sequence[GridRow], names: tuple[str, str], style: ArmStyle) -> None:
    """Cells by both settings, darker for better, each with its score; the chosen one has a frame."""
    columns, lines = (_list_values(rows, name) for name in names)
    axes = canvas.add_axes(38, 26, 6, 14)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(-0.5, len(lines) - 0.5)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
    axes.set_yticks(range(len(lines)), [f"{value:g}" for value in lines])
    axes.tick_params(length=0)
    axes.set_xlabel(_NAMES.get(names[0], names[0]), labelpad=2)
    axes.set_ylabel(_NAMES.get(names[1], names[1]), labelpad=3)
    for row in sorted(rows, key=lambda row: row.chosen):
        x, y = columns.index(row.hyperparameters[names[0]]), lines.index(row.hyperparameters[names[1]])
        _draw_cell(canvas, axes, row, (x, y), _grade(rows, row), style)
    if edge := _describe_edge(rows, names):
        canvas.write(38, canvas.height - 2, edge, va="top", color=MUTED)


def _draw_cell(
    canvas: Canvas, axes: Axes, row: GridRow, place: tuple[int, int], grade: float, style: ArmStyle
) -> None:
    from matplotlib.patches import Rectangle

    corner = (place[0] - 0.48, place[1] - 0.46)
    cell = Rectangle(corner, 0.96, 0.92, facecolor=style.colour, alpha=0.08 + 0.42 * grade, linewidth=0)
    canvas.mark(axes.add_patch(cell), style.arm, _tell(row))
    if row.chosen:
        frame = Rectangle(corner, 0.96, 0.92, facecolor="none", edgecolor=INK, linewidth=1.1)
        canvas.mark(axes.add_patch(frame), tip="chosen")
    text = "failed" if row.mean is None else format_metric(row.metric, row.mean)
    axes.text(*place, text, ha="center", va="center", weight="bold" if row.chosen else "normal")


def _grade(rows: Sequence[GridRow], row: GridRow) -> float:
    """How good among all, from 0 to 1."""
    finite = [_score(one) for one in rows if math.isfinite(_score(one))]
    low, high = min(finite), max(finite)
    if not math.isfinite(_score(row)):
        return 0.0
    share = (_score(row) - low) / (high - low) if high > low else 1.0
    return 1 - share if describe_metric(row.metric).lower_is_better else share


def _describe_edge(rows: Sequence[GridRow], names: Sequence[str]) -> str:
    """That the best value is the first or the last that was tried; empty where it is not."""
    best = _find_best(rows)
    for name in names:
        values = _list_values(rows, name)
        if len(values) > 1 and best.hyperparameters[name] in (values[0], values[-1]):
            end = "smallest" if best.hyperparameters[name] == values[0] else "largest"
            return f"best at the {end} {_NAMES.get(name, name)} tried"
    return ""


def _find_best(rows: Sequence[GridRow]) -> GridRow:
    best = rows[0]
    for row in rows[1:]:
        if is_better(row.metric, _score(row), _score(best)):
            best = row
    return best


def _tell(row: GridRow) -> str:
    what = (
        "all failed"
        if row.mean is None
        else f"{format_score(row.metric, row.mean)} over {format_count(row.n_seeds, 'seed')}"
    )
    return f"{format_hyperparameters(row.hyperparameters)}: {what}{', chosen' if row.chosen else ''}"


def _describe(rows: Sequence[GridRow], names: Sequence[str]) -> Iterator[str]:
    for row in rows:
        yield f"{_tell(row)}."
    if edge := _describe_edge(rows, names):
        yield f"{edge.capitalize()}."
