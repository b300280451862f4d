"""Draws what arms score against what a run of theirs takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.analysis.details.costs import ArmCosts, Costs
from headstart.analysis.findings import Findings
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.report.figures.canvas import draw_grid, find_limits, is_drawable, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.legend import draw_legend, measure_legend
from headstart.report.figures.palette import ArmStyle
from headstart.report.figures.words import describe_size, format_tick, label_axis
from headstart.report.numbers import format_score

_PLOT: Final = 130.0


def draw_cost(costs: Costs, findings: Findings, size: Size, styles: dict[str, ArmStyle]) -> Figure | None:
    """Mean test scores by the time of a run, at one size; None where fewer than two arms have both."""
    metric = findings.study.metric
    means = {row.arm: row.mean for row in findings.summary if (row.metric, row.size) == (metric, size)}
    shown = [one for one in costs.arms if one.size == size and one.arm in means and one.seconds > 0]
    if len(shown) < 2 or not is_drawable([means[one.arm] for one in shown]):
        return None
    info, names = describe_metric(metric), [one.arm for one in shown]
    with open_canvas(_PLOT + measure_legend(names)) as canvas:
        from matplotlib.ticker import LogLocator, NullFormatter

        axes = canvas.add_axes(30, 26 + measure_legend(names), 8, 5)
        axes.set_xscale("log")
        axes.set_xlim(min(one.seconds for one in shown) / 1.4, max(one.seconds for one in shown) * 1.4)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(lambda value, _: _format_seconds(value))
        axes.set_ylim(*find_limits([means[name] for name in names], 0.12))
        axes.yaxis.set_major_formatter(lambda value, _: format_tick(info, value))
        axes.set_xlabel("time of a run", labelpad=2)
        axes.set_ylabel(label_axis(metric, what="test"), labelpad=3)
        draw_grid(axes)
        for one in shown:
            canvas.draw_point(
                axes, one.seconds, means[one.arm], styles[one.arm], _tell(one, metric, means), size=5
            )
        draw_legend(canvas, names, styles)
        return make_figure(
            canvas,
            name_figure("cost", metric, size),
            f"Test {metric} by the time of a run{describe_size(size)}",
            " ".join(_describe(shown, metric, means)),
            "cost",
            metric,
            size,
        )


def _tell(one: ArmCosts, metric: str, means: dict[str, float]) -> str:
    return f"{one.arm}: {format_score(metric, means[one.arm])}, {_format_seconds(one.seconds)} a run"


def _format_seconds(value: float) -> str:
    """`0.5 s`, `2 min` or `1.5 h`."""
    for unit, seconds in (("h", 3600), ("min", 60)):
        if value >= seconds:
            return f"{value / seconds:.3g} {unit}"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def _describe(shown: list[ArmCosts], metric: str, means: dict[str, float]) -> Iterator[str]:
    for one in shown:
        yield f"{_tell(one, metric, means)}."
