"""Arms that share no seed: scipy's Welch t is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.welch import estimate_welch


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 5), (10, 4), (30, 20)])
def test_it_is_that_of_scipy(n: int, m: int) -> None:
    draws = np.random.default_rng(n)
    arm, control = draws.normal(1, 2, n), draws.normal(size=m)
    estimate = estimate_welch(arm, control)
    oracle = stats.ttest_ind(arm, control, equal_var=False)
    assert estimate is not None
    assert estimate.seeds_df == pytest.approx(oracle.df)
    assert estimate.p == pytest.approx(oracle.pvalue, rel=1e-3)
    for level in (0.95, 1 - 0.05 / 15):
        assert estimate.compute_interval(level) == pytest.approx(oracle.confidence_interval(level), rel=1e-3)


def test_one_seed_or_no_variation_has_no_interval() -> None:
    several, equal = np.array([1.0, 2.0, 4.0]), np.full(3, 2.0)
    assert estimate_welch(several, np.array([1.0])) is None
    assert estimate_welch(equal, equal) is None
    assert estimate_welch(several, equal) is not None


def test_what_rounding_may_hide_is_added() -> None:
    arm, control = np.array([1.0, 1.5, 2.0]), np.array([3.0, 3.1])
    estimate = estimate_welch(arm, control, rounding=0.1)
    expected = (arm.var(ddof=1) + 0.1**2 / 12) / 3 + (control.var(ddof=1) + 0.1**2 / 12) / 2
    assert estimate is not None
    assert estimate.std_error == pytest.approx(np.sqrt(expected))
    assert estimate_welch(np.array([1.0, 1.1]), control, rounding=0.1) is None
