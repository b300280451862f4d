"""Variances are found again in what was drawn with them, groups in place of examples where there are some."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.two_way import estimate_two_way
from headstart.stats.variances import (
    MeanSquares,
    VarianceComponents,
    assume_variances,
    measure_mean_squares,
    measure_variances,
)


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
    assert assume_variances(0.5, None, 0.0, 1.0) == VarianceComponents(0.0, 0.5, 0.0)
    parts = assume_variances(0.8, 0.1, 0.02, 0.25)
    assert (parts.seeds, parts.examples, parts.residual) == pytest.approx((0.02**2, 0.025, 0.075))


def test_half_of_the_disagreement_is_assumed_to_stay() -> None:
    parts = assume_variances(0.8, 0.1, 0.02)
    assert (parts.examples, parts.residual) == (0.05, 0.05)
    assert parts.persistent_share == 0.5
    assert VarianceComponents(1.0, 0.0, 0.0).persistent_share is None


def test_variances_tell_the_error_that_the_interval_has() -> None:
    """With as many seeds and examples as were measured, in groups and without."""
    draws = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 15)
    shared = draws.normal(size=40)[groups]
    differences = shared + 0.3 * draws.normal(size=(5, 1)) + draws.normal(size=(5, 600))
    for of_groups in (None, groups):
        parts = measure_variances(differences, of_groups)
        estimate = estimate_two_way(differences, of_groups)
        assert parts is not None
        assert estimate is not None
        assert parts.std_error(5, 600) == pytest.approx(estimate.std_error)
        assert parts.group_size == (1 if of_groups is None else 15)


@pytest.mark.parametrize("shape", [(1, 5), (3, 1)])
def test_one_seed_or_example_has_no_mean_squares(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least two seeds and two examples"):
        measure_mean_squares(np.zeros(shape))


def test_drawn_variances_follow_chi_squared() -> None:
    """A of two degrees of freedom: a tenth of what the variance of seeds may be is above 9.5 A."""
    squares = MeanSquares(seeds=100.0, examples=1.0, residual=0.0, n_seeds=3, n_units=50, n_examples=50)
    drawn = squares.draw_components(np.random.default_rng(0), 4000)
    seeds = np.array([parts.seeds for parts in drawn]) * 50
    expected = 100 * 2 / stats.chi2.ppf([0.9, 0.5, 0.1], 2)
    assert np.quantile(seeds, [0.1, 0.5, 0.9]) == pytest.approx(expected, rel=0.1)
