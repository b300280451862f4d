"""Metrics as functions of examples: the libraries' on examples really drawn anew, and left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy import stats

from headstart.stats.measures import (
    ExampleMetric,
    SumsMeasure,
    measure_classes,
    measure_labels,
    measure_numbers,
    measure_tokens,
    resample_all,
)
from headstart.stats.resample import draw_example_counts

Metric = Callable[[np.ndarray, np.ndarray], Any]


def _balanced(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that a resample does not hold
        return float(sk.balanced_accuracy_score(y_true, y_pred))


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
N = 60


def classes(kinds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(kinds)
    y_true = draws.integers(0, kinds, N)
    return y_true, np.where(draws.random(N) < 0.7, y_true, draws.integers(0, kinds, N))


def labels() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(1)
    y_true = (draws.random((N, 4)) < 0.4).astype(np.int8)
    return y_true, np.where(draws.random(y_true.shape) < 0.8, y_true, 1 - y_true)


def numbers() -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(2)
    y_true = draws.integers(0, 6, N) / 2  # with ties, as scores of similarity have
    return y_true, np.round(y_true + draws.normal(size=N), 1)


CASES = [
    *(
        (measure_classes(*classes(k), k)[name], metric, classes(k))
        for k in (2, 3)
        for name, metric in CLASSES.items()
    ),
    *((measure_labels(*labels())[name], metric, labels()) for name, metric in LABELS.items()),
    *((measure_numbers(*numbers())[name], metric, numbers()) for name, metric in NUMBERS.items()),
]
NAMES = [*(f"{name}-{k}" for k in (2, 3) for name in CLASSES), *(f"labels-{n}" for n in LABELS), *NUMBERS]


@pytest.mark.parametrize(("measure", "metric", "data"), CASES, ids=NAMES)
def test_examples_drawn_anew_score_as_the_library_scores_them(
    measure: ExampleMetric, metric: Metric, data: tuple[np.ndarray, np.ndarray]
) -> None:
    counts = next(iter(draw_example_counts(N, np.random.default_rng(0), 20)))
    theirs = []
    for row in counts.astype(int):
        again = np.repeat(np.arange(N), row)
        theirs.append(metric(data[0][again], data[1][again]))
    np.testing.assert_allclose(measure.on_resamples(counts), theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("measure", "metric", "data"), CASES, ids=NAMES)
def test_parts_by_example_average_to_the_metric(
    measure: ExampleMetric, metric: Metric, data: tuple[np.ndarray, np.ndarray]
) -> None:
    parts = measure.by_example
    if parts is not None:
        assert parts.shape == (N,)
        assert parts.mean() == pytest.approx(metric(*data))


@pytest.mark.parametrize(
    ("measure", "metric", "data"),
    [case for case in CASES if isinstance(case[0], SumsMeasure)],
    ids=[name for name, case in zip(NAMES, CASES, strict=True) if isinstance(case[0], SumsMeasure)],
)
def test_parts_are_the_jackknifes_pseudo_values(
    measure: SumsMeasure, metric: Metric, data: tuple[np.ndarray, np.ndarray]
) -> None:
    """By leaving each example out in turn, and asking the library."""
    full_score = metric(*data)
    left = np.arange(N)[:, None] != np.arange(N)[None]
    pseudo = np.array([N * full_score - (N - 1) * metric(data[0][keep], data[1][keep]) for keep in left])
    np.testing.assert_allclose(measure.by_example, pseudo - pseudo.mean() + full_score, rtol=1e-8, atol=1e-9)


def test_many_are_drawn_as_each_alone() -> None:
    """In products of many columns, with more classes than are kept dense, and with what is no sum at all."""
    draws = np.random.default_rng(3)
    many = measure_classes(draws.integers(0, 30, N), draws.integers(0, 30, N), 30)
    measures = [*(case[0] for case in CASES), *many.values()] * 12
    counts = next(iter(draw_example_counts(N, np.random.default_rng(0), 20)))
    for actual, measure in zip(resample_all(measures, counts), measures, strict=True):
        np.testing.assert_allclose(actual, measure.on_resamples(counts), rtol=1e-12, atol=1e-12)


def test_only_a_correlation_of_ranks_has_no_parts() -> None:
    assert [name for name, measure in measure_numbers(*numbers()).items() if measure.by_example is None] == [
        "spearman"
    ]


def test_what_is_constant_correlates_with_nothing() -> None:
    y_true, _ = numbers()
    flat = measure_numbers(y_true, np.full(N, 0.1))
    counts = np.ones((1, N))
    assert [float(flat[name].on_resamples(counts)[0]) for name in ("pearson", "spearman")] == [0.0, 0.0]


def test_one_class_alone_has_a_correlation_of_zero() -> None:
    y_pred = np.zeros(N, int)
    assert float(measure_classes(y_pred, y_pred, 2)["mcc"].on_resamples(np.ones((1, N)))[0]) == 0.0


def test_a_resample_of_groups_may_be_of_another_size() -> None:
    """Counts scaled to N give what each metric is on the examples drawn, however many these are."""
    draws = np.random.default_rng(2)
    counts = draws.integers(0, 4, 60)
    drawn = np.repeat(np.arange(60), counts)
    assert len(drawn) not in (0, 60)
    y_true, y_pred = draws.integers(0, 3, 60), draws.integers(0, 3, 60)
    marks = draws.integers(0, 2, (2, 60, 4))
    numbers = draws.normal(size=(2, 60)).round(1)  # some are equal, and share a rank
    tokens = draws.integers(1, 9, 60), draws.random(60), draws.integers(0, 2, 60)
    cases = [
        (measure_classes(y_true, y_pred, 3), measure_classes(y_true[drawn], y_pred[drawn], 3)),
        (measure_labels(*marks), measure_labels(*marks[:, drawn])),
        (measure_numbers(*numbers), measure_numbers(*numbers[:, drawn])),
        (measure_tokens(*tokens), measure_tokens(*(part[drawn] for part in tokens))),
    ]
    scaled = counts[None] * (60 / counts.sum())
    for measures, on_drawn in cases:
        for name, measure in measures.items():
            expected = on_drawn[name].on_resamples(np.ones((1, len(drawn))))
            assert measure.on_resamples(scaled) == pytest.approx(expected), name
