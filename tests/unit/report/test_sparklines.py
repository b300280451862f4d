"""Curves of arms as lines of blocks, all on one scale."""

from __future__ import annotations

import math

from headstart.analysis.details.curves import ArmCurve
from headstart.config.metrics import describe_metric
from headstart.report.sparklines import draw_sparkline, render_sparklines, thin_values

ACCURACY = describe_metric("accuracy")


def make_curve(arm: str, *values: float, size: int = 4) -> ArmCurve:
    return ArmCurve(arm, size, tuple(range(1, len(values) + 1)), values, None)


def render(*curves: ArmCurve, metric: str = "accuracy") -> list[str]:
    return [line.plain for line in render_sparklines(curves, describe_metric(metric))]


def test_the_least_and_the_most_are_the_lowest_and_highest_block() -> None:
    assert draw_sparkline([0.0, 0.5, 1.0], 0.0, 1.0) == "▁▅█"
    assert draw_sparkline([0.25, 0.25], 0.25, 0.25) == "▁▁"
    assert draw_sparkline([0.0, math.nan, 1.0, math.inf], 0.0, 1.0) == "▁ █ "


def test_arms_are_drawn_on_one_scale_with_their_ends() -> None:
    lines = render(make_curve("pretrained", 0.6, 0.8, 0.9), make_curve("random", 0.5, 0.5, 0.75))
    assert lines[0] == "best valid accuracy so far, by epoch, mean over seeds:"
    assert lines[1].split() == ["pretrained", "▃▆█", "60.0", "to", "90.0"]
    assert lines[2].split() == ["random", "▁▁▅", "50.0", "to", "75.0"]
    assert lines[1].index("60.0") == lines[2].index("50.0")


def test_only_the_last_size_is_drawn() -> None:
    curves = [make_curve("a", 0.1, 0.2, 0.3, size=2), make_curve("a", 0.4, 0.5, 0.6)]
    assert len(render(*curves)) == 2


def test_nothing_is_drawn_of_two_epochs_or_of_no_number() -> None:
    assert render() == []
    assert render(make_curve("a", 0.5, 0.6)) == []
    assert render(make_curve("a", math.nan, math.nan, math.nan), metric="loss") == []


def test_long_curves_are_thinned_and_fit_60_columns() -> None:
    values = [i / 1000 for i in range(1000)]
    assert thin_values(values, 5) == [0.0, 0.25, 0.5, 0.749, 0.999]
    (_, line) = render(make_curve("pretrained", *values))
    assert len(line) < 60
