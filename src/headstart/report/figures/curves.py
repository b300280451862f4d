"""Draws curves of training: the best score so far by epoch, and the training loss by step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from headstart.analysis.details.curves import ArmCurve, Curves, RunCurve
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.report.figures.canvas import Canvas, draw_grid, find_limits, is_drawable, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.legend import draw_legend, measure_legend
from headstart.report.figures.palette import ArmStyle
from headstart.report.figures.words import describe_size, format_tick, label_axis
from headstart.report.numbers import format_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Split = Literal["valid", "test"]
T = TypeVar("T")
_PLOT: Final = 132.0
#: Of one figure, so that those of 200 runs stay small.
_MOST_LINES: Final = 48
_MOST_POINTS: Final = 24
_MOST_EPOCHS: Final = 40
_MOST_STEPS: Final = 60


def draw_curve(curves: Curves, split: Split, size: Size, styles: dict[str, ArmStyle]) -> Figure | None:
    """The best score so far of each run, thin, and the mean of each arm, thick; None where there are none."""
    runs = [run for run in curves.runs if run.size == size and is_drawable(_get_scores(run, split))]
    arms = [arm for arm in curves.arms if arm.size == size and is_drawable(_get_scores(arm, split))]
    if not runs:
        return None
    metric, names = curves.metric, list(dict.fromkeys(run.arm for run in runs))
    with open_canvas(_PLOT + measure_legend(names)) as canvas:
        axes = _add_plot(canvas, names, metric, "epoch", f"best {split}")
        shown = _thin(runs, _MOST_LINES)
        axes.set_ylim(*find_limits(y for run in runs for y in _get_scores(run, split)))
        for run in shown:
            _draw_run(canvas, axes, run, split, metric, styles[run.arm])
        for arm in arms:
            _draw_mean(canvas, axes, arm, split, metric, styles[arm.arm], _MOST_POINTS // len(arms))
        _set_epochs(axes, [epoch for run in runs for epoch in run.epochs])
        draw_legend(canvas, names, styles)
        return make_figure(
            canvas,
            name_figure("curves", metric, split, size),
            f"Best {metric} so far on {split}, by epoch{describe_size(size)}",
            " ".join(_describe(arms or runs, split, metric, len(runs) - len(shown))),
            "curves",
            metric,
            size,
        )


def draw_loss(curves: Curves, size: Size, styles: dict[str, ArmStyle]) -> Figure | None:
    """The training loss of each run by step; None where no run has one."""
    runs = [run for run in curves.runs if run.size == size and is_drawable(run.loss.losses)]
    if not runs:
        return None
    names, shown = list(dict.fromkeys(run.arm for run in runs)), _thin(runs, _MOST_LINES)
    with open_canvas(_PLOT + measure_legend(names)) as canvas:
        axes = _add_plot(canvas, names, "loss", "optimiser step", "training")
        axes.set_ylim(*find_limits(loss for run in runs for loss in run.loss.losses))
        for run in shown:
            points = _thin(list(zip(run.loss.steps, run.loss.losses, strict=True)), _limit_steps(len(shown)))
            tip = f"{run.arm}, seed {run.seed}: training loss {_find_last(run.loss.losses):.3f} at the end"
            x, y = zip(*points, strict=True)
            single = {"marker": styles[run.arm].marker, "markersize": 2.5} if len(points) == 1 else {}
            canvas.draw_line(axes, x, y, styles[run.arm], tip, **single)
        draw_legend(canvas, names, styles)
        return make_figure(
            canvas,
            name_figure("loss", size),
            f"Training loss of every run, by step{describe_size(size)}",
            " ".join(_describe_losses(runs, names, len(runs) - len(shown))),
            "loss",
            None,
            size,
        )


def _limit_steps(lines: int) -> int:
    return max(20, _MOST_STEPS * 9 // max(lines, 9))


def _get_scores(curve: RunCurve | ArmCurve, split: Split) -> tuple[float, ...]:
    return curve.best_valid if split == "valid" else curve.best_test or ()


def _add_plot(canvas: Canvas, names: Sequence[str], metric: str, x_label: str, what: str) -> Axes:
    info = describe_metric(metric)
    axes = canvas.add_axes(30, 25 + measure_legend(names), 6, 5)
    axes.set_xlabel(x_label, labelpad=2)
    axes.set_ylabel(label_axis(metric, what=what), labelpad=3)
    axes.yaxis.set_major_formatter(lambda value, _: format_tick(info, value))
    draw_grid(axes)
    return axes


def _set_epochs(axes: Axes, epochs: Sequence[int]) -> None:
    """Whole epochs only."""
    first, last = min(epochs), max(epochs)
    step = max(1, math.ceil((last - first) / 8))
    axes.set_xticks(range(first, last + 1, step))
    axes.set_xlim(first - 0.02 * (last - first) - 0.1, last + 0.02 * (last - first) + 0.1)


def _draw_run(canvas: Canvas, axes: Axes, run: RunCurve, split: Split, metric: str, style: ArmStyle) -> None:
    points = _thin(list(zip(run.epochs, _get_scores(run, split), strict=True)), _MOST_EPOCHS)
    x, y = zip(*points, strict=True)
    chosen = "" if run.best_epoch is None else f", epoch {run.best_epoch} chosen"
    tip = f"{run.arm}, seed {run.seed}: {format_score(metric, _find_last(y))}{chosen}"
    single = {"marker": style.marker, "markersize": 2.5} if len(points) == 1 else {}
    canvas.draw_line(axes, x, y, style, tip, linewidth=0.6, alpha=0.6, **single)


def _draw_mean(
    canvas: Canvas, axes: Axes, arm: ArmCurve, split: Split, metric: str, style: ArmStyle, most: int
) -> None:
    points = list(zip(arm.epochs, _get_scores(arm, split), strict=True))
    x, y = zip(*_thin(points, _MOST_EPOCHS), strict=True)
    tip = f"{arm.arm}, mean of seeds: {format_score(metric, _find_last(y))}"
    canvas.draw_line(axes, x, y, style, tip, linewidth=1.8)
    for epoch, score in _thin(points, max(most, 3)):
        canvas.draw_point(axes, epoch, score, style, f"epoch {epoch}: {format_score(metric, score)}", size=3)


def _find_last(values: Sequence[float]) -> float:
    """The last that is a number."""
    return next((value for value in reversed(values) if math.isfinite(value)), math.nan)


def _thin(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of them, evenly, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _describe(curves: Iterable[RunCurve | ArmCurve], split: Split, metric: str, hidden: int) -> Iterator[str]:
    for curve in curves:
        scores = _get_scores(curve, split)
        whose = f"{curve.arm}, mean" if isinstance(curve, ArmCurve) else f"{curve.arm}, seed {curve.seed}"
        first, last = format_score(metric, scores[0]), format_score(metric, _find_last(scores))
        yield f"{whose}: {first} after epoch {curve.epochs[0]}, {last} after epoch {curve.epochs[-1]}."
    if hidden > 0:
        yield f"{hidden} more runs are not drawn."


def _describe_losses(runs: Sequence[RunCurve], names: Sequence[str], hidden: int) -> Iterator[str]:
    for name in names:
        ends = [_find_last(run.loss.losses) for run in runs if run.arm == name]
        low, high = min(ends), max(ends)
        yield (
            f"{name}: {low:.3f} at the end."
            if low == high
            else f"{name}: {low:.3f} to {high:.3f} at the end."
        )
    if hidden > 0:
        yield f"{hidden} more runs are not drawn."
