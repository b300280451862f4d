"""One arm over test examples: binomial where there is one model, never beyond its ends, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from headstart.stats.example_intervals import count_effective_examples, estimate_examples_interval
from headstart.stats.measures import measure_classes, measure_numbers

SHARE, CORRELATION = (0.0, 1.0), (-1.0, 1.0)


def hold(by_example: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, float]:
    """The interval of a share."""
    found = estimate_examples_interval(float(by_example.mean()), by_example, None, SHARE, groups=groups)
    assert found is not None
    return found


def test_one_model_has_nearly_wilsons_binomial_interval() -> None:
    """N - 1 in place of N, and t(N - 1) in place of z."""
    right = np.zeros((1, 400))
    right[0, :332] = 1
    theirs = stats.binomtest(332, 400).proportion_ci(method="wilson")
    assert hold(right) == pytest.approx((theirs.low, theirs.high), abs=5e-4)


def test_every_model_right_on_every_example_still_has_a_lower_end() -> None:
    """Issue 19: accuracy 99%, N 50, printed "100.0 to 100.0"."""
    low, high = hold(np.ones((5, 50)))
    theirs = stats.binomtest(50, 50).proportion_ci(method="wilson")
    assert low == pytest.approx(theirs.low, abs=5e-3)
    assert high == 1
    assert hold(np.zeros((5, 50))) == pytest.approx((1 - high, 1 - low))


def test_models_that_err_on_the_same_examples_are_one_model() -> None:
    right = (np.arange(300) >= 30).astype(float)[None]
    assert hold(np.repeat(right, 8, axis=0)) == pytest.approx(hold(right))


def test_models_that_err_by_themselves_are_many_models() -> None:
    draws = np.random.default_rng(0)
    right = (draws.random((8, 3000)) < 0.9).astype(float)
    effective = count_effective_examples(float(right.mean()), right.mean(0))
    assert effective == pytest.approx(8 * 3000, rel=0.1)


def test_few_errors_say_little_of_how_alike_models_err() -> None:
    """Three errors of eight models on 50 examples, all on other ones: not 400 independent answers."""
    right = np.ones((8, 50))
    right[(0, 1, 2), (3, 14, 15)] = 0
    effective = count_effective_examples(float(right.mean()), right.mean(0))
    assert 50 < effective < 150


def test_groups_take_the_place_of_examples() -> None:
    groups = np.repeat(np.arange(30), 10)
    right = np.repeat((np.random.default_rng(1).random((3, 30)) < 0.8).astype(float), 10, axis=1)
    low, high = hold(right, groups)
    assert (low, high) == pytest.approx(hold(right[:, ::10]))
    as_examples = hold(right)
    assert high - low > 2.5 * (as_examples[1] - as_examples[0])


def test_a_single_group_has_no_interval() -> None:
    right = np.ones((2, 4))
    assert estimate_examples_interval(1.0, right, None, SHARE, groups=np.zeros(4)) is None


def test_without_examples_there_is_none() -> None:
    assert estimate_examples_interval(0.7, None, None, SHARE) is None


def test_a_loss_has_the_percentiles_of_resamples() -> None:
    resampled = np.random.default_rng(2).gamma(4, size=(3, 2000))
    found = estimate_examples_interval(4.0, None, resampled, (0.0, math.inf))
    assert found == pytest.approx(tuple(np.quantile(resampled.mean(0), [0.025, 0.975])))


def test_a_correlation_without_parts_takes_the_variance_of_resamples() -> None:
    resampled = 0.97 + 0.02 * np.random.default_rng(3).normal(size=(1, 20000))
    found = estimate_examples_interval(0.97, None, resampled, CORRELATION)
    z = np.arctanh(0.97) + np.array([-1, 1]) * 1.96 * 0.02 / (1 - 0.97**2)
    assert found == pytest.approx(tuple(np.tanh(z)), abs=2e-3)


def test_a_pearson_correlation_has_nearly_fishers_interval() -> None:
    draws = np.random.default_rng(4)
    y_true = draws.normal(size=400)
    y_pred = 0.8 * y_true + 0.6 * draws.normal(size=400)
    measure = measure_numbers(y_true, y_pred)["pearson"]
    parts = np.asarray(measure.by_example)[None]
    found = estimate_examples_interval(float(parts.mean()), parts, None, CORRELATION, is_correlation=True)
    theirs = stats.pearsonr(y_true, y_pred).confidence_interval()
    assert found == pytest.approx((theirs.low, theirs.high), abs=0.01)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "balanced_accuracy", "mcc"])
def test_no_metric_leaves_its_range(metric: str) -> None:
    draws, bounds = np.random.default_rng(5), CORRELATION if metric == "mcc" else SHARE
    for _ in range(200):
        n_classes, n_examples = draws.integers(2, 5).item(), draws.integers(2, 40).item()
        y_true = np.asarray(draws.integers(0, n_classes, n_examples))
        right = draws.random((3, n_examples)) < draws.choice([0.0, 0.5, 0.97, 1.0])
        y_pred = np.where(right, y_true, (y_true + 1) % n_classes)
        parts = np.array([measure_classes(y_true, row, n_classes)[metric].by_example for row in y_pred])
        mean = float(np.clip(parts.mean(), *bounds))
        found = estimate_examples_interval(mean, parts, None, bounds)
        assert found is not None
        assert bounds[0] <= found[0] <= mean + 1e-12
        assert mean - 1e-12 <= found[1] <= bounds[1]


@pytest.mark.parametrize(("accuracy", "alike"), [(0.99, 0.0), (0.99, 3.0), (0.95, 3.0)])
def test_it_holds_where_percentiles_held_a_third(accuracy: float, alike: float) -> None:
    """50 examples, 5 models; 800 repeats, so two standard errors are 1.5 points."""
    draws, held = np.random.default_rng(6), 0
    lift = stats.norm.ppf(accuracy) * math.sqrt(1 + alike**2)
    for _ in range(800):
        right = alike * draws.normal(size=50) + lift + draws.normal(size=(5, 50)) > 0
        low, high = hold(right.astype(float))
        held += bool(low <= special.ndtr(lift / math.sqrt(1 + alike**2)) <= high)
    assert held / 800 > 0.935
