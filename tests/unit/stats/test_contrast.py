"""The difference between two arms, by hand and against scipy; undecided where chance could explain it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.contrast import paired_difference

RANDOM = np.array([62.5, 64.5, 63.5])
PRETRAINED = np.array([81.5, 78.0, 82.5])


def test_laboratory_difference() -> None:
    found = paired_difference(PRETRAINED, RANDOM)
    assert (found.n, round(found.difference, 2), found.verdict) == (3, 17.17, "better")
    # Gaps 19, 13.5, 19: std 3.1754, t(2) = 4.3027
    assert (found.low, found.high) == pytest.approx((9.2784, 25.0549), abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_p_value_and_interval_are_scipys(seed: int) -> None:
    draws = np.random.default_rng(seed)
    arm, control = draws.normal(1, 1, 5), draws.normal(0, 1, 5)
    oracle = stats.ttest_rel(arm, control)
    interval = oracle.confidence_interval()
    found = paired_difference(arm, control)
    assert (found.p, found.low, found.high) == pytest.approx((oracle.pvalue, interval.low, interval.high))


def test_swapped_arms_swap_the_verdict() -> None:
    found = paired_difference(RANDOM, PRETRAINED)
    assert (round(found.difference, 2), found.verdict) == (-17.17, "worse")


def test_lower_loss_is_better() -> None:
    found = paired_difference(RANDOM, PRETRAINED, lower_is_better=True)
    assert (round(found.difference, 2), found.verdict) == (-17.17, "better")


def test_interval_that_holds_zero_decides_nothing() -> None:
    found = paired_difference(np.array([0.70, 0.80]), np.array([0.75, 0.70]))
    assert found.verdict == "undecided"
    assert found.low is not None
    assert found.low < 0


def test_one_seed_decides_nothing() -> None:
    found = paired_difference(np.array([0.9]), np.array([0.5]))
    assert (found.low, found.high, found.p, found.verdict) == (None, None, None, "undecided")
    assert found.difference == pytest.approx(0.4)


def test_equal_gaps_decide_nothing() -> None:
    found = paired_difference(np.array([0.75, 0.875]), np.array([0.5, 0.625]))
    assert (found.difference, found.low, found.p, found.verdict) == (0.25, None, None, "undecided")


def test_nothing_is_warned_of_where_arms_are_equal() -> None:
    found = paired_difference(RANDOM, RANDOM)
    assert (found.difference, found.p, found.verdict) == (0.0, None, "undecided")
