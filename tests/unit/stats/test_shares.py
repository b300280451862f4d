"""Intervals of figures that have ends: against scipy's Wilson, their defining equations, and their ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from headstart.stats.shares import (
    UNBOUNDED,
    compute_bounded_interval,
    compute_logit_interval,
    compute_wilson_interval,
    from_logit,
    to_logit,
)

Z = float(stats.norm.isf(0.025))
SHARE, CORRELATION, POSITIVE = (0.0, 1.0), (-1.0, 1.0), (0.0, math.inf)


@pytest.mark.parametrize(("count", "n"), [(0, 3), (3, 3), (2, 10), (81, 263), (15, 148), (1, 29), (0, 20)])
def test_wilson_is_scipys(count: int, n: int) -> None:
    ours = compute_wilson_interval(count / n, n, Z)
    theirs = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombes_table(count: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", Table I, method 3."""
    assert compute_wilson_interval(count / n, n, Z) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("bounds", [SHARE, CORRELATION, POSITIVE])
@pytest.mark.parametrize("deviation", [1e-4, 0.05, 0.4, 3.0])
def test_an_end_is_a_candidate_whose_own_error_just_reaches_the_mean(
    bounds: tuple[float, float], deviation: float
) -> None:
    mean, reach = 0.7, 4.3

    def spread(value: float) -> float:
        return (value - bounds[0]) * (1.0 if math.isinf(bounds[1]) else bounds[1] - value)

    low, high = compute_bounded_interval(mean, deviation**2, reach, bounds)
    assert bounds[0] <= low < mean < high <= bounds[1]
    for end in (low, high):
        error = reach * deviation * math.sqrt(spread(end) / spread(mean))
        assert abs(mean - end) == pytest.approx(error, rel=1e-6)


def test_far_from_ends_it_is_the_plain_interval() -> None:
    plain = compute_bounded_interval(0.5, 1e-6, 2.0, UNBOUNDED)
    assert plain == pytest.approx((0.498, 0.502))
    for bounds in (SHARE, CORRELATION, POSITIVE):
        assert compute_bounded_interval(0.5, 1e-6, 2.0, bounds) == pytest.approx(plain, abs=1e-5)


def test_a_mean_that_cannot_be_has_the_plain_interval() -> None:
    assert compute_bounded_interval(1.2, 0.01, 2.0, SHARE) == pytest.approx((1.0, 1.4))


def test_of_a_correlation_the_logit_is_fishers_z() -> None:
    r, n = 0.83, 24
    low, high = compute_logit_interval(r, (1 - r**2) ** 2 / (n - 3), Z, CORRELATION)
    x = np.arange(n, dtype=float)
    y = _correlate(x, r)
    theirs = stats.pearsonr(x, y).confidence_interval()
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def _correlate(x: np.ndarray, r: float) -> np.ndarray:
    """Numbers whose correlation with x is r."""
    noise = np.cos(3 * x)
    x = (x - x.mean()) / x.std()
    noise = noise - noise.mean()
    noise = noise - (noise @ x) / (x @ x) * x
    return np.asarray(r * x + math.sqrt(1 - r**2) * noise / noise.std())


@pytest.mark.parametrize("bounds", [SHARE, CORRELATION, POSITIVE, UNBOUNDED])
def test_logits_come_back(bounds: tuple[float, float]) -> None:
    for value in (1e-6, 0.3, 0.999999):
        assert from_logit(to_logit(value, bounds), bounds) == pytest.approx(value, rel=1e-9)
    assert from_logit(-1e3, SHARE) == 0.0
    assert from_logit(1e3, SHARE) == 1.0


def test_no_interval_leaves_its_range() -> None:
    draws = np.random.default_rng(0)
    for _ in range(2000):
        share, n, reach = draws.random(), 10 ** draws.uniform(-1, 5), draws.uniform(1, 13)
        if draws.random() < 0.2:
            share = round(share)
        low, high = compute_wilson_interval(share, n, reach)
        assert 0 <= low <= share <= high <= 1
        if 0 < share < 1:
            low, high = compute_logit_interval(share, draws.random(), reach, SHARE)
            assert 0 <= low <= share <= high <= 1
