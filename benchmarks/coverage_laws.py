"""Laws by which right and wrong answers of models are drawn, and what is true of their scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy import stats

from headstart.stats.measures import ExampleMetric, SumsMeasure, measure_classes
from headstart.stats.metrics import CLASS_METRICS

#: How much arms differ in what they find hard, in units of an answer's noise.
LEAN: Final = 0.5


def draw_right(draws: np.random.Generator, ease: np.ndarray, n_seeds: int, shift: float) -> np.ndarray:
    """Right and wrong [S, N] of models on examples so easy [N], each seed shifted by so much."""
    shifts = shift * draws.normal(size=(n_seeds, 1))
    return (ease + shifts + draws.normal(size=(n_seeds, len(ease))) > 0).astype(float)


def expect_accuracy(lift: float, shift: float) -> float:
    """The accuracy of an arm: each answer is right with the chance of a normal sum being above zero."""
    return float(stats.norm.cdf(lift / np.sqrt(2 + LEAN**2 + shift**2)))


def measure_answers(right: np.ndarray) -> list[Mapping[str, ExampleMetric]]:
    """Of models that are right so [S, N], a quarter of the examples being of class 1."""
    y_true, y_pred = _answer(right)
    return [measure_classes(y_true, row, 2) for row in y_pred]


def macro_f1_by_example(right: np.ndarray) -> np.ndarray:
    """Parts [S, N] of their macro-F1, by dense tables, which two classes are."""
    y_true, y_pred = _answer(right)
    truth = np.eye(2)[y_true]
    tables = (np.concatenate([truth * np.eye(2)[row], truth, np.eye(2)[row]], 1) for row in y_pred)
    return np.array([SumsMeasure(parts, CLASS_METRICS["macro_f1"]).by_example for parts in tables])


def _answer(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes of the examples [N], and answers [S, N] that are right so."""
    y_true = (np.arange(right.shape[1]) % 4 == 0).astype(int)
    return y_true, np.where(right > 0, y_true[None], 1 - y_true[None])


def macro_f1_of_accuracy(accuracy: np.ndarray) -> np.ndarray:
    """Over all examples, a quarter of them of class 1, each predicted rightly with the same chance."""
    hits = (0.75 * accuracy, 0.25 * accuracy)
    predicted = (0.75 * accuracy + 0.25 * (1 - accuracy), 0.25 * accuracy + 0.75 * (1 - accuracy))
    parts = zip(hits, (0.75, 0.25), predicted, strict=True)
    return np.asarray(sum(2 * h / (true + p) for h, true, p in parts) / 2)


def expect_macro_f1(lift: float, shift: float) -> float:
    """Of an arm over all seeds, by quadrature."""
    places, weights = np.polynomial.hermite_e.hermegauss(40)
    values = macro_f1_of_accuracy(stats.norm.cdf((lift + shift * places) / np.sqrt(2 + LEAN**2)))
    return float((weights * values).sum() / weights.sum())
