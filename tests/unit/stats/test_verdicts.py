"""Verdicts are read off intervals, whichever way a metric is better."""

from __future__ import annotations

import pytest

from headstart.stats.verdicts import judge


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [
        (0.01, 0.2, None, "better"),
        (-0.2, -0.01, None, "worse"),
        (-0.1, 0.2, None, "undecided"),
        (None, None, 0.1, "undecided"),
        (-0.01, 0.02, 0.03, "no difference"),
        (0.01, 0.02, 0.03, "no difference"),  # better, by less than matters
        (-0.01, 0.02, 0.015, "not worse"),
        (-0.02, 0.01, 0.015, "undecided"),
        (0.01, 0.2, 0.03, "better"),
        (-0.2, -0.01, 0.03, "worse"),
    ],
)
def test_verdicts_are_read_off_the_interval(
    low: float | None, high: float | None, margin: float | None, verdict: str
) -> None:
    assert judge(low, high, margin=margin) == verdict
    turned = (None, None) if low is None or high is None else (-high, -low)
    assert judge(*turned, margin=margin, lower_is_better=True) == verdict
