"""Metrics from sums over examples: scikit-learn's and scipy's on the examples themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy import stats

from headstart.stats.metrics import (
    CLASS_METRICS,
    LABEL_METRICS,
    TOKEN_METRICS,
    correlation,
    count_classes,
    count_labels,
    divide_or_zero,
    products,
    root_mean_square,
    score_sums,
)


def test_classes_are_counted_one_by_one() -> None:
    sums = count_classes(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 4)
    assert sums.reshape(3, 4).tolist() == [[1, 1, 0, 0], [2, 1, 1, 0], [2, 2, 0, 0]]


def test_labels_are_counted_one_by_one() -> None:
    sums = count_labels(np.array([[1, 0, 1], [1, 1, 0]]), np.array([[1, 1, 0], [0, 1, 0]]))
    assert sums.reshape(3, 3).tolist() == [[1, 1, 0], [2, 1, 1], [1, 2, 0]]


@pytest.mark.parametrize("n_classes", [2, 3, 40])
def test_class_metrics_are_those_of_scikit_learn(n_classes: int) -> None:
    """With few examples of many classes, some neither occur nor are predicted, and some only one of both."""
    draws = np.random.default_rng(n_classes)
    y_true = draws.integers(0, n_classes, 50)
    y_pred = np.where(draws.random(50) < 0.6, y_true, draws.integers(0, n_classes, 50))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and do not occur
        expected = {
            "accuracy": sk.accuracy_score(y_true, y_pred),
            "balanced_accuracy": sk.balanced_accuracy_score(y_true, y_pred),
            "macro_f1": sk.f1_score(y_true, y_pred, average="macro", zero_division=0),
            "mcc": sk.matthews_corrcoef(y_true, y_pred),
        }
    scores = score_sums(CLASS_METRICS, count_classes(y_true, y_pred, n_classes))
    assert scores == {name: pytest.approx(value, abs=1e-14) for name, value in expected.items()}


def test_label_metrics_are_those_of_scikit_learn() -> None:
    draws = np.random.default_rng(0)
    y_true = (draws.random((60, 5)) < [0.1, 0.3, 0.5, 0.9, 0.0]).astype(int)
    y_pred = np.where(draws.random((60, 5)) < 0.8, y_true, 1 - y_true) * [1, 1, 1, 1, 0]
    scores = score_sums(LABEL_METRICS, count_labels(y_true, y_pred))
    expected = {
        f"{average}_f1": pytest.approx(sk.f1_score(y_true, y_pred, average=average, zero_division=0))
        for average in ("macro", "micro")
    }
    assert scores == expected


def test_sums_of_many_resamples_are_scored_at_once() -> None:
    draws = np.random.default_rng(1)
    pairs = [(draws.integers(0, 3, 30), draws.integers(0, 3, 30)) for _ in range(4)]
    sums = np.stack([count_classes(*pair, 3) for pair in pairs])
    for name, formula in CLASS_METRICS.items():
        assert formula(sums).tolist() == [score_sums(CLASS_METRICS, row)[name] for row in sums]


def test_token_metrics_are_shares_of_all_tokens() -> None:
    scores = score_sums(TOKEN_METRICS, np.array([30.0, 12.0, 20.0]))
    expected = {"loss": 1.5, "perplexity": np.exp(1.5), "token_accuracy": 0.6}
    assert scores == {name: pytest.approx(value) for name, value in expected.items()}


def test_a_perplexity_that_has_no_number_is_infinite() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_sums(TOKEN_METRICS, np.array([7200.0, 0.0, 9.0]))
    assert scores == {"loss": 800.0, "perplexity": np.inf, "token_accuracy": 0.0}


def test_no_token_at_all_scores_zero() -> None:
    assert score_sums(TOKEN_METRICS, np.zeros(3)) == {"loss": 0.0, "perplexity": 1.0, "token_accuracy": 0.0}


def test_correlation_is_pearsons() -> None:
    draws = np.random.default_rng(2)
    x = draws.normal(size=40)
    y = x + draws.normal(size=40)
    sums = np.stack(products(x, y), 1).sum(0)
    assert float(correlation(sums)) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)


def test_a_perfect_correlation_is_never_above_one() -> None:
    for seed in range(50):
        x = np.random.default_rng(seed).normal(size=7)
        assert float(correlation(np.stack(products(x, 3 * x), 1).sum(0))) <= 1.0


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.7, 1e6])
def test_a_constant_correlates_with_nothing(constant: float) -> None:
    """Whatever rounding leaves of its variance."""
    for n in range(2, 60):
        x = np.random.default_rng(n).normal(size=n)
        assert float(correlation(np.stack(products(x, np.full(n, constant)), 1).sum(0))) == 0.0


def test_what_is_no_number_has_no_correlation() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert np.isnan(correlation(np.stack(products(x, np.array([1.0, np.nan, 2.0])), 1).sum(0)))


def test_root_mean_square_is_that_of_scikit_learn() -> None:
    draws = np.random.default_rng(3)
    y_true, y_pred = draws.normal(size=(2, 30))
    sums = np.array([30.0, ((y_pred - y_true) ** 2).sum()])
    assert float(root_mean_square(sums)) == pytest.approx(sk.root_mean_squared_error(y_true, y_pred))


def test_nothing_to_share_is_zero() -> None:
    assert divide_or_zero(np.array([1.0, 0.0, 3.0]), np.array([2.0, 0.0, 0.0])).tolist() == [0.5, 0.0, 0.0]
