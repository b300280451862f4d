"""Metrics as functions of texts: scikit-learn's and scipy's on texts really drawn anew, and left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy import stats

from headstart.stats.measures import (
    Measure,
    OfSums,
    class_measures,
    draw_all,
    label_measures,
    number_measures,
)
from headstart.stats.resample import text_counts

Metric = Callable[[np.ndarray, np.ndarray], Any]


def _balanced(true: np.ndarray, said: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that a resample does not hold
        return float(sk.balanced_accuracy_score(true, said))


CLASSES: Mapping[str, Metric] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": _balanced,
    "macro_f1": lambda t, s: sk.f1_score(t, s, average="macro", zero_division=0),
    "mcc": sk.matthews_corrcoef,
}
LABELS: Mapping[str, Metric] = {
    "macro_f1": lambda t, s: sk.f1_score(t, s, average="macro", zero_division=0),
    "micro_f1": lambda t, s: sk.f1_score(t, s, average="micro", zero_division=0),
    "exact_match": sk.accuracy_score,
}
NUMBERS: Mapping[str, Metric] = {
    "pearson": lambda t, s: stats.pearsonr(t, s).statistic,
    "spearman": lambda t, s: stats.spearmanr(t, s).statistic,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "loss": sk.mean_squared_error,
}
TEXTS = 60


def classes(kinds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(kinds)
    true = draws.integers(0, kinds, TEXTS)
    return true, np.where(draws.random(TEXTS) < 0.7, true, draws.integers(0, kinds, TEXTS))


def labels() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(1)
    true = (draws.random((TEXTS, 4)) < 0.4).astype(np.int8)
    return true, np.where(draws.random(true.shape) < 0.8, true, 1 - true)


def numbers() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(2)
    true = draws.integers(0, 6, TEXTS) / 2  # with ties, as scores of similarity have
    return true, np.round(true + draws.normal(size=TEXTS), 1)


CASES = [
    *(
        (class_measures(*classes(k), k)[name], metric, classes(k))
        for k in (2, 3)
        for name, metric in CLASSES.items()
    ),
    *((label_measures(*labels())[name], metric, labels()) for name, metric in LABELS.items()),
    *((number_measures(*numbers())[name], metric, numbers()) for name, metric in NUMBERS.items()),
]
NAMES = [*(f"{name}-{k}" for k in (2, 3) for name in CLASSES), *(f"labels-{n}" for n in LABELS), *NUMBERS]


@pytest.mark.parametrize(("measure", "metric", "data"), CASES, ids=NAMES)
def test_texts_drawn_anew_score_as_the_library_scores_them(
    measure: Measure, metric: Metric, data: tuple[np.ndarray, np.ndarray]
) -> None:
    counts = next(iter(text_counts(TEXTS, np.random.default_rng(0), 20)))
    theirs = []
    for row in counts.astype(int):
        again = np.repeat(np.arange(TEXTS), row)
        theirs.append(metric(data[0][again], data[1][again]))
    np.testing.assert_allclose(measure.drawn(counts), theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("measure", "metric", "data"), CASES, ids=NAMES)
def test_parts_by_text_average_to_the_metric(
    measure: Measure, metric: Metric, data: tuple[np.ndarray, np.ndarray]
) -> None:
    parts = measure.by_text
    if parts is not None:
        assert parts.shape == (TEXTS,)
        assert parts.mean() == pytest.approx(metric(*data))


@pytest.mark.parametrize(
    ("measure", "metric", "data"),
    [case for case in CASES if isinstance(case[0], OfSums)],
    ids=[name for name, case in zip(NAMES, CASES, strict=True) if isinstance(case[0], OfSums)],
)
def test_parts_are_the_jackknifes_pseudo_values(
    measure: OfSums, metric: Metric, data: tuple[np.ndarray, np.ndarray]
) -> None:
    """By leaving each text out in turn, and asking the library."""
    whole = metric(*data)
    left = np.arange(TEXTS)[:, None] != np.arange(TEXTS)[None]
    pseudo = np.array([TEXTS * whole - (TEXTS - 1) * metric(data[0][keep], data[1][keep]) for keep in left])
    np.testing.assert_allclose(measure.by_text, pseudo - pseudo.mean() + whole, rtol=1e-8, atol=1e-9)


def test_many_are_drawn_as_each_alone() -> None:
    """In products of many columns, with more classes than are kept dense, and with what is no sum at all."""
    draws = np.random.default_rng(3)
    many = class_measures(draws.integers(0, 30, TEXTS), draws.integers(0, 30, TEXTS), 30)
    measures = [*(case[0] for case in CASES), *many.values()] * 12
    counts = next(iter(text_counts(TEXTS, np.random.default_rng(0), 20)))
    for found, one in zip(draw_all(measures, counts), measures, strict=True):
        np.testing.assert_allclose(found, one.drawn(counts), rtol=1e-12, atol=1e-12)


def test_only_a_correlation_of_ranks_has_no_parts() -> None:
    assert [name for name, one in number_measures(*numbers()).items() if one.by_text is None] == ["spearman"]


def test_what_is_constant_correlates_with_nothing() -> None:
    true, _ = numbers()
    flat = number_measures(true, np.full(TEXTS, 0.1))
    counts = np.ones((1, TEXTS))
    assert [float(flat[name].drawn(counts)[0]) for name in ("pearson", "spearman")] == [0.0, 0.0]


def test_one_class_alone_has_a_correlation_of_zero() -> None:
    said = np.zeros(TEXTS, int)
    assert float(class_measures(said, said, 2)["mcc"].drawn(np.ones((1, TEXTS)))[0]) == 0.0
