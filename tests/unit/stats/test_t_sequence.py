"""The t e-process: against its mixture integrated numerically, and as it will be used."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate

from headstart.stats.confidence_sequence import compute_confidence_sequence
from headstart.stats.t_sequence import compute_t_sequence, find_reach_in_deviations, log_e_value


def _integrate_e_value(values: np.ndarray) -> float:
    """Both hypotheses' marginal likelihoods by quadrature: the effect N(0, 1), log sigma flat.

    With sums in place of densities of each value, and sigma in units of the values' root mean square.
    """
    n, scale = len(values), math.sqrt(float((values**2).mean()))
    total, squares = float(values.sum()) / scale, float((values**2).sum()) / scale**2

    def weigh(log_sigma: float, effect: float) -> float:
        sigma = math.exp(log_sigma)
        misfit = squares - 2 * effect * sigma * total + n * (effect * sigma) ** 2
        return math.exp(-n * log_sigma - misfit / (2 * sigma**2))

    above = integrate.dblquad(
        lambda effect, log_sigma: weigh(log_sigma, effect) * math.exp(-(effect**2) / 2), -3, 8, -9, 9
    )[0]
    below = integrate.quad(lambda log_sigma: weigh(log_sigma, 0.0), -3, 8)[0]
    return float(above / below) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(("n_seeds", "mean"), [(3, 0.5), (5, 0.0), (8, -1.5)])
def test_the_e_value_is_the_ratio_of_mixtures(n_seeds: int, mean: float) -> None:
    values = np.random.default_rng(n_seeds).normal(mean, 1.3, size=n_seeds)
    assert np.exp(log_e_value(values)) == pytest.approx(_integrate_e_value(values), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.05 / 8])
@pytest.mark.parametrize("n_seeds", [8, 12, 30])
def test_its_ends_are_where_the_e_value_reaches_the_limit(n_seeds: int, alpha: float) -> None:
    values = np.random.default_rng(n_seeds).normal(2, 3, size=n_seeds)
    ends = compute_t_sequence(values, alpha)
    assert ends is not None
    for end in ends:
        assert log_e_value(values - end) == pytest.approx(-np.log(alpha))
    assert sum(ends) / 2 == pytest.approx(values.mean())


@pytest.mark.parametrize(("alpha", "fewest"), [(0.05, 5), (0.025, 6), (0.05 / 8, 7)])
def test_with_fewer_seeds_no_mean_is_ever_out(alpha: float, fewest: int) -> None:
    """However large the effect, the e-value stays below the limit."""
    assert find_reach_in_deviations(fewest - 1, alpha) is None
    assert find_reach_in_deviations(fewest, alpha) is not None
    far = 1e9 + np.random.default_rng(0).normal(size=fewest)
    assert log_e_value(far[:-1]) < -np.log(alpha) < log_e_value(far)


def test_equal_differences_say_nothing_of_normal_ones() -> None:
    assert compute_t_sequence(np.full(9, 0.5)) is None
    assert compute_t_sequence(np.array([0.5])) is None


def test_the_chance_that_it_ever_errs_is_below_one_in_twenty() -> None:
    """Looked at after each of 200 seeds: cumulative sums tell all e-values of 4,000 sequences at once."""
    values = np.random.default_rng(0).normal(size=(4000, 200))
    n = np.arange(1, 201)
    mean, squares = values.cumsum(1) / n, (values**2).cumsum(1)
    t_squared = n * mean**2 / np.maximum((squares - n * mean**2) / np.maximum(n - 1, 1), 1e-12)
    reach = np.array([find_reach_in_deviations(int(k)) or np.inf for k in n])
    is_out = t_squared / n > reach**2
    assert 0.02 < is_out[:, 1:].any(1).mean() <= 0.05
    some = values[0, :50]
    assert bool(is_out[0, 49]) == (log_e_value(some) > np.log(20))


def test_it_needs_fewer_seeds_than_signs_do_where_differences_are_normal() -> None:
    draws = np.random.default_rng(1)
    samples = [draws.normal(2, 1.5, size=60) for _ in range(300)]
    seeds = [
        np.mean([_count_seeds(sample, compute) for sample in samples])
        for compute in (compute_t_sequence, compute_confidence_sequence)
    ]
    assert seeds[0] < seeds[1] - 0.5


def _count_seeds(sample: np.ndarray, compute: Callable[[np.ndarray], tuple[float, float] | None]) -> int:
    """Until zero is out."""
    for n_seeds in range(2, 61):
        ends = compute(sample[:n_seeds])
        if ends is not None and not ends[0] <= 0 <= ends[1]:
            return n_seeds
    return 61
