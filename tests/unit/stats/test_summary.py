"""Figures of an arm over its seeds, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.summary import add_rounding, compute_mean_interval, has_variation, summarise_values


def test_laboratory_figures_of_random_weights() -> None:
    summary = summarise_values(np.array([62.5, 64.5, 63.5]))
    assert (summary.n, summary.mean) == (3, 63.5)
    assert summary.std_population == pytest.approx(np.sqrt(2 / 3))
    assert round(summary.std_population, 1) == 0.8
    assert summary.std == pytest.approx(1.0)


def test_laboratory_figures_of_pretrained_weights() -> None:
    summary = summarise_values(np.array([81.5, 78.0, 82.5]))
    assert (round(summary.mean, 2), round(summary.std_population, 1)) == (80.67, 1.9)


def test_interval_is_students() -> None:
    # mean 63.5, t(2) = 4.3027, std 1, so 63.5 +- 4.3027 / sqrt(3)
    assert compute_mean_interval(np.array([62.5, 64.5, 63.5])) == pytest.approx((61.0159, 65.9841), abs=1e-4)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_interval_is_that_of_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert compute_mean_interval(values) == pytest.approx((low, high))


def test_one_value_has_no_deviation_and_no_interval() -> None:
    summary = summarise_values(np.array([0.8]))
    assert (summary.n, summary.mean, summary.std_population) == (1, 0.8, 0.0)
    assert (summary.std, summary.low, summary.high) == (None, None, None)


def test_equal_values_have_no_interval() -> None:
    summary = summarise_values(np.array([0.8, 0.8, 0.8]))
    assert summary.std == pytest.approx(0, abs=1e-12)
    assert (summary.low, summary.high) == (None, None)


def test_values_within_their_rounding_do_not_vary() -> None:
    assert not has_variation(np.array([0.81, 0.82]) - np.array([0.5, 0.5]), rounding=0.01)
    assert has_variation(np.array([0.81, 0.83]) - np.array([0.5, 0.5]), rounding=0.01)
    assert has_variation(np.array([0.81, 0.82]))
    assert compute_mean_interval(np.array([1.0, 1.0, 1.01]), 0.01) == (None, None)


@pytest.mark.parametrize("n_scores", [1, 2])
def test_the_variance_of_rounding_is_that_of_a_simulation(n_scores: int) -> None:
    draws = np.random.default_rng(0)
    true = draws.normal(size=(n_scores, 200_000))
    errors = (np.round(true, 1) - true).sum(0)
    assert add_rounding(0.0, 0.1, n_scores) == pytest.approx(errors.var(), rel=0.02)


def test_rounding_widens_an_interval() -> None:
    values = np.array([1.0, 1.02, 1.05])
    low, high = compute_mean_interval(values, 0.01)
    reach = stats.t.ppf(0.975, 2) * np.sqrt((values.var(ddof=1) + 0.01**2 / 12) / 3)
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert summarise_values(values, 0.01).low == low
