"""Power against closed forms, scipy's noncentral t and simulation; what is needed is enough."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.power import (
    VarianceComponents,
    assume_variances,
    compute_power,
    detectable_difference,
    find_required_examples,
    find_required_seeds,
    measure_variances,
)
from headstart.stats.two_way import estimate_two_way

PARTS = VarianceComponents(seeds=0.01**2, examples=0.2, residual=0.1)


def test_without_examples_it_is_the_power_of_a_paired_t_test() -> None:
    parts = VarianceComponents(seeds=1.0, examples=0.0, residual=0.0)
    shift = 1.5 / np.sqrt(1 / 5)
    limit = stats.t.ppf(0.975, 4)
    expected = 1 - stats.nct.cdf(limit, 4, shift) + stats.nct.cdf(-limit, 4, shift)
    assert compute_power(1.5, parts, 5, 1_000_000) == pytest.approx(expected, rel=1e-4)


def test_without_a_difference_it_is_the_level() -> None:
    """Or below: the interval is no narrower than it must be."""
    assert 0.04 < compute_power(0.0, PARTS, 5, 500) <= 0.05


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_it_is_how_often_the_interval_leaves_zero_out(seeds: int) -> None:
    draws, n_examples, difference = np.random.default_rng(seeds), 200, 0.12
    parts = VarianceComponents(seeds=0.03**2, examples=0.2, residual=0.3)
    shown = []
    for _ in range(600):
        a = np.sqrt(parts.seeds) * draws.normal(size=(seeds, 1))
        b = np.sqrt(parts.examples) * draws.normal(size=(1, n_examples))
        estimate = estimate_two_way(
            difference + a + b + np.sqrt(parts.residual) * draws.normal(size=(seeds, n_examples))
        )
        shown.append(estimate is not None and estimate.low > 0)
    assert np.mean(shown) == pytest.approx(compute_power(difference, parts, seeds, n_examples), abs=0.06)


def test_what_is_detectable_is_shown_as_often_as_asked() -> None:
    for seeds in (2, 3, 10):
        difference = detectable_difference(PARTS, seeds, 1000)
        assert compute_power(difference, PARTS, seeds, 1000) == pytest.approx(0.8)


def test_what_is_needed_is_enough_and_one_less_is_not() -> None:
    seeds = find_required_seeds(0.034, PARTS, 2000)
    assert seeds is not None
    assert compute_power(0.034, PARTS, seeds, 2000) >= 0.8 > compute_power(0.034, PARTS, seeds - 1, 2000)
    n_examples = find_required_examples(0.05, PARTS, 5)
    assert n_examples is not None
    assert compute_power(0.05, PARTS, 5, n_examples) >= 0.8 > compute_power(0.05, PARTS, 5, n_examples - 1)


def test_seeds_cannot_buy_back_a_small_test_set() -> None:
    small = VarianceComponents(seeds=0.001**2, examples=0.2, residual=0.0)
    assert find_required_seeds(0.02, small, 200) is None
    assert small.limiting_factor(3, 200) == "examples"
    assert find_required_examples(0.02, small, 3) is not None


def test_examples_cannot_buy_back_few_seeds() -> None:
    noisy = VarianceComponents(seeds=0.05**2, examples=0.1, residual=0.0)
    assert find_required_examples(0.02, noisy, 3) is None
    assert noisy.limiting_factor(3, 100_000) == "seeds"


def test_variances_are_found_again_in_differences() -> None:
    draws, parts = np.random.default_rng(0), VarianceComponents(seeds=4.0, examples=1.0, residual=2.0)
    estimates = []
    for _ in range(50):
        a, b = 2 * draws.normal(size=(8, 1)), draws.normal(size=(1, 60))
        estimates.append(measure_variances(a + b + np.sqrt(2) * draws.normal(size=(8, 60))))
    for name in ("seeds", "examples", "residual"):
        mean = np.mean([getattr(estimate, name) for estimate in estimates])
        assert mean == pytest.approx(getattr(parts, name), rel=0.2)


def test_differences_without_variation_have_no_variances() -> None:
    assert measure_variances(np.zeros((3, 5))) is None


def test_assumed_variances_are_those_of_independent_models_unless_told() -> None:
    assert assume_variances(0.5, None, 0.0).examples == 0.5
    assert assume_variances(0.8, 0.1, 0.02) == VarianceComponents(0.02**2, 0.1, 0.0)


def test_a_leaderboards_noise() -> None:
    """Single results near 50% on 1,319 questions: one's own deviation is 1.4 points, a difference's 1.9."""
    parts = assume_variances(0.5, None, 0.0)
    assert np.sqrt(0.25 / 1319) == pytest.approx(0.0138, abs=1e-4)
    assert parts.std_error(1, 1319) == pytest.approx(0.0195, abs=1e-4)


def test_variances_of_groups_tell_what_more_examples_in_groups_would_show() -> None:
    """With as many seeds and examples as were measured, the error is the interval's own."""
    draws = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 15)
    shared = draws.normal(size=40)[groups]
    differences = shared + 0.3 * draws.normal(size=(5, 1)) + draws.normal(size=(5, 600))
    parts, estimate = measure_variances(differences, groups), estimate_two_way(differences, groups)
    assert parts is not None
    assert estimate is not None
    assert parts.group_size == pytest.approx(15)
    assert parts.std_error(5, 600) == pytest.approx(estimate.std_error)
    blind = measure_variances(differences)
    assert blind is not None
    assert parts.examples > 5 * blind.examples


def test_few_groups_need_a_larger_difference_than_as_many_examples() -> None:
    """Of the same error, since what eight groups say of it is uncertain."""
    single = VarianceComponents(seeds=0.0, examples=1.0, residual=0.01)
    grouped = VarianceComponents(seeds=0.0, examples=1.0, residual=0.01, group_size=100)
    assert detectable_difference(grouped, 10, 800) > 1.1 * detectable_difference(single, 10, 800)
