"""Estimates over seeds and examples: by hand, against closed forms, and by simulation of what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.behrens_fisher import compute_two_sided_p, find_reach
from headstart.stats.two_way import compute_mean_squares, estimate_difference, estimate_two_way, sum_groups


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
    assert (estimate.seeds_variance, estimate.examples_variance) == pytest.approx((9 / 4, 12 / 4))
    assert (estimate.seeds_df, estimate.examples_df) == (1, 1)


def test_the_error_is_a_t_of_seeds_plus_one_of_examples() -> None:
    """Against draws of that sum; the interval and p are of one law."""
    table = draw_differences(4, 600, np.random.default_rng(5))
    estimate = estimate_two_way(table)
    assert estimate is not None
    draws = np.random.default_rng(6)
    errors = np.sqrt(estimate.seeds_variance) * draws.standard_t(3, 400_000)
    errors += np.sqrt(estimate.examples_variance) * draws.normal(size=400_000)
    reach = np.quantile(np.abs(errors), 0.95)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(reach, rel=0.01)
    assert estimate.p == pytest.approx(np.mean(np.abs(errors) >= abs(estimate.mean)), abs=0.003)
    low, high = estimate.compute_interval(0.99)
    assert (estimate.compute_p(low), estimate.compute_p(high)) == pytest.approx((0.01, 0.01))


def test_two_seeds_that_agree_by_luck_show_no_less_than_the_residual() -> None:
    """Means of both seeds are the same, answers are not: A is 0, and E stands in for it."""
    table = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]])
    estimate = estimate_two_way(table)
    assert estimate is not None
    _, _, e = compute_mean_squares(table)
    assert estimate.seeds_variance == pytest.approx(e / 8)


def test_seeds_that_all_agree_by_luck_show_no_less_than_the_residual() -> None:
    """Each of three seeds is wrong on another example: equal means, and a difference all the same."""
    table = 1 - np.eye(3, 40)
    estimate = estimate_two_way(table)
    assert estimate is not None
    _, _, e = compute_mean_squares(table)
    assert e > 0
    assert estimate.seeds_variance == pytest.approx(e / 120)


def test_groups_of_one_are_no_groups() -> None:
    table = draw_differences(4, 30, np.random.default_rng(3))
    single, plain = estimate_two_way(table, np.arange(30)), estimate_two_way(table)
    assert single is not None
    assert plain is not None
    assert (single.mean, single.low, single.high) == pytest.approx((plain.mean, plain.low, plain.high))


def test_equal_groups_are_a_table_of_their_means() -> None:
    table = draw_differences(3, 40, np.random.default_rng(4))
    grouped = estimate_two_way(table, np.arange(40) % 8)
    means = estimate_two_way(np.stack([table[:, g::8].mean(1) for g in range(8)], 1))
    assert grouped is not None
    assert means is not None
    assert (grouped.mean, grouped.low, grouped.high) == pytest.approx((means.mean, means.low, means.high))


def test_groups_of_all_sizes_keep_the_mean_of_examples() -> None:
    table = draw_differences(3, 40, np.random.default_rng(4))
    groups = np.repeat([0, 1, 2, 3], [1, 4, 15, 20])
    np.testing.assert_allclose(sum_groups(table, groups).mean(1), table.mean(1))


def test_what_groups_share_is_in_the_interval() -> None:
    """Difficulty that 20 texts of a group share: intervals over texts claim too much, those over groups do
    not."""
    draws, groups = np.random.default_rng(1), np.repeat(np.arange(40), 20)
    covered = []
    for _ in range(300):
        shared = draws.normal(size=40)[groups]
        table = shared[None, :] + 0.1 * draws.normal(size=(5, 1)) + draws.normal(size=(5, 800))
        estimates = estimate_two_way(table, groups), estimate_two_way(table)
        covered.append([estimate is not None and estimate.p >= 0.05 for estimate in estimates])
    with_groups, without = np.mean(covered, axis=0)
    assert with_groups >= 0.93 > 0.7 > without


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
    assert (estimate.low, estimate.high) == pytest.approx((theirs.low, theirs.high), rel=1e-4)
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


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_small_p_values_are_as_rare_as_they_say(seeds: int) -> None:
    """The tail: with 3 seeds and 2,000 examples Satterthwaite's t had p < 0.0033 in 1.8% of tables without a
    difference, and p < 0.001 in 1.1%. Here the table's mean squares are drawn from their laws."""
    draws, n, repeats = np.random.default_rng(seeds), 2000, 20_000
    a = (1 + 2000 * 0.01**2) * draws.chisquare(seeds - 1, repeats) / (seeds - 1)
    b = (1 + seeds * 0.5) * draws.chisquare(n - 1, repeats) / (n - 1)
    mean = np.sqrt((0.2 + 1 + seeds * 0.5) / (seeds * n)) * draws.normal(size=repeats)
    of_seeds = np.maximum(a, 1.0) if seeds == 2 else a
    p = compute_two_sided_p(mean, of_seeds / (seeds * n), np.maximum(b - 1, 0) / (seeds * n), seeds - 1)
    for level in (0.05, 0.01, 0.0033, 0.001):
        assert np.mean(p < level) <= level + 3 * np.sqrt(level / repeats)


def test_p_and_the_fiducial_probability_are_of_the_same_law() -> None:
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
    assert (estimate.low, estimate.high, estimate.seeds_df) == pytest.approx((ends.low, ends.high, 4))
    assert (estimate.examples, estimate.residual) == (0.0, 0.0)
    assert estimate.seeds == pytest.approx(estimate.std_error**2)


def test_with_examples_a_difference_is_estimated_over_both() -> None:
    table = draw_differences(4, 30, np.random.default_rng(3))
    assert estimate_difference(table.mean(1), table) == estimate_two_way(table)


@pytest.mark.parametrize("by_seed", [np.array([0.4]), np.array([0.4, 0.4, 0.4])])
def test_one_seed_or_equal_seeds_have_no_estimate(by_seed: np.ndarray) -> None:
    assert estimate_difference(by_seed, None) is None


def test_what_seeds_share_adds_to_the_seeds_part_alone() -> None:
    """The variance of the mean of correlated values, by its definition."""
    estimate = estimate_two_way(draw_differences(4, 50, np.random.default_rng(3)))
    assert estimate is not None
    rho = 0.3
    of_one = 4 * estimate.seeds_variance  # between seeds: (1 - rho) of one seed's variance
    covariance = np.full((4, 4), rho) + np.diag([1 - rho] * 4)
    expected = of_one / (1 - rho) * covariance.mean()
    widened = estimate.add_shared_part(4, rho / (1 - rho))
    assert widened.seeds_variance == pytest.approx(expected)
    assert widened.examples_variance == estimate.examples_variance
    assert widened.seeds == pytest.approx(estimate.seeds * expected / estimate.seeds_variance)
    assert widened.mean == estimate.mean


def test_twice_the_seeds_or_examples_reach_as_far_as_a_study_that_has_them() -> None:
    few = estimate_two_way(np.random.default_rng(1).normal(size=(3, 60)))
    assert few is not None
    of_seeds, of_examples = few.seeds_variance, few.examples_variance
    by_seeds, by_examples = few.find_reach_doubled(0.95)
    assert by_seeds == pytest.approx(float(find_reach(0.05, of_seeds / 2, of_examples, 5, 59)))
    assert by_examples > by_seeds  # of noise alone three seeds know little
    assert few.find_reach_doubled(0.95, shared=10.0)[0] > by_seeds
