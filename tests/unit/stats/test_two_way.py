"""Estimates over seeds and examples: by hand, against closed forms, and by simulation of what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.two_way import estimate_difference, estimate_two_way


def draw_differences(
    n_seeds: int,
    n_examples: int,
    draws: np.random.Generator,
    by_seed: float = 1.0,
    by_example: float = 1.0,
    residual: float = 1.0,
) -> np.ndarray:
    """Differences [S, N] of mean zero, from parts of these deviations."""
    a = by_seed * draws.normal(size=(n_seeds, 1))
    b = by_example * draws.normal(size=(1, n_examples))
    return np.asarray(a + b + residual * draws.normal(size=(n_seeds, n_examples)))


def test_the_variance_is_that_of_the_two_way_model() -> None:
    """Against the mean squares of a table worked out by hand: rows 1 3 and 2 8."""
    estimate = estimate_two_way(np.array([[1.0, 3.0], [2.0, 8.0]]))
    assert estimate is not None
    # Mean 3.5. Seeds: 2 * (1.5^2 + 1.5^2) = 9. Examples: 2 * (2^2 + 2^2) = 16. Residual: 4 * 1^2 = 4.
    assert estimate.mean == 3.5
    assert estimate.std_error == pytest.approx(np.sqrt((9 + 16 - 4) / 4))
    assert estimate.df == pytest.approx((9 + 16 - 4) ** 2 / (81 + 256 + 16))
    reach = stats.t.ppf(0.975, estimate.df) * estimate.std_error
    assert (estimate.low, estimate.high) == pytest.approx((3.5 - reach, 3.5 + reach))


def test_without_an_effect_of_examples_it_is_the_t_interval_over_seeds() -> None:
    by_seed = np.random.default_rng(0).normal(size=5)
    estimate = estimate_two_way(np.repeat(by_seed[:, None], 400, axis=1))
    assert estimate is not None
    theirs = stats.ttest_1samp(by_seed, 0).confidence_interval()
    assert (estimate.low, estimate.high) == pytest.approx((theirs.low, theirs.high))
    assert estimate.examples == pytest.approx(0, abs=1e-12)


def test_without_an_effect_of_seeds_it_is_the_t_interval_over_examples() -> None:
    by_example = np.random.default_rng(0).normal(size=300)
    estimate = estimate_two_way(np.repeat(by_example[None, :], 3, axis=0))
    assert estimate is not None
    theirs = stats.ttest_1samp(by_example, 0).confidence_interval()
    assert (estimate.low, estimate.high) == pytest.approx((theirs.low, theirs.high))
    assert estimate.seeds == pytest.approx(0, abs=1e-12)


def test_differences_that_are_all_equal_say_nothing() -> None:
    assert estimate_two_way(np.full((3, 10), 0.5)) is None


@pytest.mark.parametrize("shape", [(1, 10), (3, 1)])
def test_one_seed_or_one_example_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        estimate_two_way(np.zeros(shape))


@pytest.mark.parametrize("parts", [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (1.0, 0.0, 1.0), (0.05, 0.2, 1.0)])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_holds_what_it_claims(seeds: int, parts: tuple[float, float, float]) -> None:
    """At least 93% of 400 intervals cover the truth; with few seeds they may be wider than they need be."""
    draws = np.random.default_rng(seeds)
    scaled = (parts[0] / 10, parts[1], parts[2])
    estimates = [estimate_two_way(draw_differences(seeds, 100, draws, *scaled)) for _ in range(400)]
    covered = np.mean([estimate is not None and estimate.low <= 0 <= estimate.high for estimate in estimates])
    assert covered >= 0.93


def test_p_and_the_fiducial_probability_are_of_the_same_t_distribution() -> None:
    differences = np.random.default_rng(1).normal(0.3, 1, 6)
    estimate = estimate_difference(differences, None)
    assert estimate is not None
    assert estimate.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    one_sided = stats.ttest_1samp(differences, 0, alternative="greater").pvalue
    assert estimate.fiducial_prob_positive == pytest.approx(1 - one_sided)


def test_without_examples_a_difference_is_estimated_over_seeds_alone() -> None:
    differences = np.random.default_rng(2).normal(size=5)
    estimate = estimate_difference(differences, None)
    assert estimate is not None
    ends = stats.ttest_1samp(differences, 0).confidence_interval()
    assert (estimate.low, estimate.high, estimate.df) == pytest.approx((ends.low, ends.high, 4))
    assert (estimate.examples, estimate.residual) == (0.0, 0.0)
    assert estimate.seeds == pytest.approx(estimate.std_error**2)


def test_with_examples_a_difference_is_estimated_over_both() -> None:
    table = draw_differences(4, 30, np.random.default_rng(3))
    assert estimate_difference(table.mean(1), table) == estimate_two_way(table)


@pytest.mark.parametrize("by_seed", [np.array([0.4]), np.array([0.4, 0.4, 0.4])])
def test_one_seed_or_equal_seeds_have_no_estimate(by_seed: np.ndarray) -> None:
    assert estimate_difference(by_seed, None) is None
