"""The chance that one run beats another: scipy's U, the roots of Newcombe's equation, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from headstart.stats.superiority import estimate_superiority, find_newcombe_ends

Z = float(stats.norm.isf(0.025))


@pytest.mark.parametrize(("m", "n"), [(2, 2), (3, 3), (5, 3), (10, 10)])
def test_the_estimate_is_scipys_u_over_all_pairs(m: int, n: int) -> None:
    draws = np.random.default_rng([m, n])
    arm, control = draws.integers(0, 6, m) / 6, draws.integers(0, 6, n) / 6  # with ties
    found = estimate_superiority(arm, control)
    assert found is not None
    assert found.probability == pytest.approx(stats.mannwhitneyu(arm, control).statistic / (m * n))
    assert found.low <= found.probability <= found.high


def test_lower_may_be_better() -> None:
    arm, control = np.array([0.3, 0.2, 0.5]), np.array([0.4, 0.6, 0.7])
    higher, lower = (estimate_superiority(arm, control, lower_is_better=flag) for flag in (False, True))
    assert higher is not None
    assert lower is not None
    assert lower.probability == pytest.approx(1 - higher.probability) == 8 / 9
    assert (lower.low, lower.high) == pytest.approx((1 - higher.high, 1 - higher.low))


@pytest.mark.parametrize(("m", "n"), [(1, 3), (3, 1), (1, 1)])
def test_one_run_says_nothing(m: int, n: int) -> None:
    assert estimate_superiority(np.arange(m, dtype=float), np.arange(n, dtype=float)) is None


@pytest.mark.parametrize("theta", [0.0, 1 / 18, 0.5, 0.78, 0.96, 1.0])
@pytest.mark.parametrize(("m", "n"), [(3, 3), (5, 8), (20, 20)])
def test_ends_are_roots_of_newcombes_quartic(theta: float, m: int, n: int) -> None:
    """mn (theta - c)^2 b = z^2 c (1 - c) [b + N (1 - c)(1 + c) + N c (2 - c)], b = (2 - c)(1 + c)."""
    c = np.polynomial.Polynomial([0, 1])
    n_star = (m + n) / 2 - 1
    below = (2 - c) * (1 + c)
    spread = below + n_star * ((1 - c) * (1 + c) + c * (2 - c))
    roots = (m * n * (theta - c) ** 2 * below - Z**2 * c * (1 - c) * spread).roots()
    near = (np.abs(roots.imag) < 1e-7) & (np.abs(roots.real - 0.5) < 0.5 + 1e-9)
    real = roots.real[near]
    low, high = find_newcombe_ends(theta, m, n, Z)
    assert low == pytest.approx(real.min(), abs=1e-6)
    assert high == pytest.approx(real.max(), abs=1e-6)
    assert 0 <= low <= theta <= high <= 1


def test_three_runs_that_all_win_may_be_even() -> None:
    """The figure of issue 19, by the normal quantile; Student's of four degrees is wider."""
    low, high = find_newcombe_ends(1.0, 3, 3, Z)
    assert low == pytest.approx(0.5, abs=0.01)
    assert high == 1
    found = estimate_superiority(np.array([0.81, 0.78, 0.82]), np.array([0.62, 0.64, 0.63]))
    assert found is not None
    assert (found.probability, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.337, abs=0.001)


@pytest.mark.parametrize(("n_seeds", "lead"), [(3, 0.0), (3, 2.5), (5, 1.5), (10, 0.7)])
def test_it_holds_the_truth(n_seeds: int, lead: float) -> None:
    """The arm's spread is a fifth of the control's, the worst case tried; 600 repeats."""
    draws, held = np.random.default_rng([n_seeds, round(10 * lead)]), 0
    truth = special.ndtr(lead / np.sqrt(1.04))
    for _ in range(600):
        found = estimate_superiority(
            lead + 0.2 * draws.normal(size=n_seeds), np.asarray(draws.normal(size=n_seeds))
        )
        assert found is not None
        held += found.low <= truth <= found.high
    assert held / 600 > 0.91


def test_the_sum_of_signs_is_that_of_the_table_of_pairs() -> None:
    """Bit for bit: ties count half, and a table of a million runs by a million does not fit."""
    draws = np.random.default_rng(0)
    for m, n in ((2, 3), (40, 31), (500, 700)):
        arm, control = draws.integers(0, 30, m) / 30, draws.integers(0, 30, n) / 30
        expected = (1 + float(np.sign(arm[:, None] - control[None, :]).mean())) / 2
        found = estimate_superiority(arm, control)
        assert found is not None
        assert found.probability == expected


def test_runs_beyond_a_table_of_pairs_have_one() -> None:
    scores = np.random.default_rng(0).normal(size=200_000)
    found = estimate_superiority(scores + 1, scores)
    assert found is not None
    assert found.probability == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.005)
