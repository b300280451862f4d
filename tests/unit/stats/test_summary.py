"""Figures of an arm over its seeds, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.summary import (
    add_rounding,
    compute_mean_interval,
    has_variation,
    predict_one_more,
    summarise_values,
)


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


def test_centres_are_numpys_and_scipys() -> None:
    values = np.array([0.2, 0.9, 0.8, 0.85, 0.83, 0.99, 0.84, 0.86])
    summary = summarise_values(values)
    assert summary.median == np.median(values)
    assert summary.iqm == pytest.approx(stats.trim_mean(values, 0.25))
    assert summary.iqm == pytest.approx(np.mean([0.83, 0.84, 0.85, 0.86]))


@pytest.mark.parametrize("count", [2, 3, 10])
def test_one_more_value_is_predicted_by_students_t(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    scale = values.std(ddof=1) * np.sqrt(1 + 1 / count)
    assert predict_one_more(values) == pytest.approx(stats.t.interval(0.95, count - 1, values.mean(), scale))


def test_one_more_share_is_predicted_on_the_logits() -> None:
    values = np.array([0.91, 0.95, 0.99])
    logits = np.log(values / (1 - values))
    low, high = stats.t.interval(0.95, 2, logits.mean(), logits.std(ddof=1) * np.sqrt(4 / 3))
    expected = 1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))
    assert predict_one_more(values, bounds=(0.0, 1.0)) == pytest.approx(expected)


def test_rounding_widens_a_prediction() -> None:
    values = np.array([0.90, 0.91, 0.93])
    plain, rounded = (predict_one_more(values, unit, (0.0, 1.0)) for unit in (0.0, 0.01))
    assert plain is not None
    assert rounded is not None
    assert rounded[0] < plain[0] < plain[1] < rounded[1]
    low, high = stats.t.interval(0.95, 2, 50, np.sqrt((1 + 1 / 12) * 4 / 3))
    assert predict_one_more(np.array([49.0, 50.0, 51.0]), 1.0) == pytest.approx((low, high))


def test_equal_values_predict_nothing() -> None:
    assert predict_one_more(np.array([0.8, 0.81]), 0.01) is None
    assert predict_one_more(np.array([0.8, 0.8])) is None
    assert predict_one_more(np.array([0.8])) is None


@pytest.mark.parametrize(
    "values", [(0.51, 0.53), (0.5, 1.0, 1.0), (0.0, 1.0), (0.98, 1.0), (1e-9, 0.7, 0.71)]
)
def test_shares_stay_within_0_and_100(values: tuple[float, ...]) -> None:
    """Issue 22: "1.2 to 102.8"."""
    summary = summarise_values(np.array(values), bounds=(0.0, 1.0))
    for low, high in ((summary.low, summary.high), (summary.one_more_low, summary.one_more_high)):
        assert low is not None
        assert high is not None
        assert 0 <= low < summary.mean < high <= 1


def test_losses_stay_above_zero() -> None:
    summary = summarise_values(np.array([0.1, 2.0]), bounds=(0.0, np.inf))
    assert summary.low is not None
    assert summary.one_more_low is not None
    assert min(summary.low, summary.one_more_low) >= 0


def test_a_share_in_the_middle_has_nearly_students_interval() -> None:
    values = np.array([0.625, 0.645, 0.635])
    plain, bounded = compute_mean_interval(values), compute_mean_interval(values, bounds=(0.0, 1.0))
    assert bounded == pytest.approx(plain, abs=1e-3)


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
