"""A run's test figures computed anew from its predictions; says where those in its record differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from headstart.records import Scores
from headstart.stats.answers import compute_chrf
from headstart.stats.measures import measure_numbers
from headstart.stats.metrics import (
    CLASS_METRICS,
    LABEL_METRICS,
    TOKEN_METRICS,
    count_classes,
    count_labels,
    score_sums,
)
from headstart.store.prediction_tables import Predictions

#: Of the same numbers, added in another order or kept in 32 bits by an earlier version.
_ROUNDING: Final = 1e-6
#: Of losses that were added up in 32 bits.
_LOSS_ROUNDING: Final = 1e-4


def compute_test_scores(predictions: Predictions) -> Scores:
    """Every figure of the test that predictions tell, but losses of probabilities.

    These are written rounded: `Predictions.loss_range` is what can be said of them.
    """
    y_true, y_pred = predictions.y_true, predictions.y_pred
    if not len(y_true):  # a language model that was asked no prompt
        return {}
    if predictions.kind == "classes":
        return score_sums(CLASS_METRICS, count_classes(y_true, y_pred, predictions.classes))
    if predictions.kind == "labels":
        exact = {"exact_match": float((y_true == y_pred).all(1).mean())}
        return score_sums(LABEL_METRICS, count_labels(y_true, y_pred)) | exact
    if predictions.kind == "numbers":
        as_they_are = np.ones((1, len(y_true)))
        measures = measure_numbers(y_true, y_pred)
        return {name: float(measure.on_resamples(as_they_are)[0]) for name, measure in measures.items()}
    return _score_tokens(predictions) if predictions.kind == "tokens" else _score_answers(predictions)


def _score_tokens(predictions: Predictions) -> Scores:
    assert predictions.losses is not None
    parts = (predictions.losses, predictions.y_pred, predictions.y_true)
    return score_sums(TOKEN_METRICS, np.array([part.sum() for part in parts], float))


def _score_answers(predictions: Predictions) -> Scores:
    scores = {"exact_match": float(predictions.y_pred.mean())}
    if predictions.stopped is not None:
        scores["stopped"] = float(predictions.stopped.mean())
    if predictions.answers is not None:
        scores["token_f1"] = float(predictions.answers.token_f1.mean())
        scores["chrf"] = float(compute_chrf(predictions.answers.chrf_counts.sum(0).astype(float)))
    return scores


def find_difference(test: Mapping[str, float], predictions: Predictions) -> str | None:
    """The first figure of a record's test that its predictions contradict, in words; None where none does."""
    scores = compute_test_scores(predictions)
    if not scores and (predictions.kind != "answers" or "exact_match" in test):
        return "the record has metrics, but its predictions have no example"
    for name, value in scores.items():
        if name in test and not _is_same(test[name], value, name):
            return f"{name} is {test[name]:g} in the record, and {value:g} according to its predictions"
    if predictions.loss_range is not None and "loss" in test:
        return _judge_loss(test["loss"], predictions.loss_range)
    return None


def _is_same(recorded: float, value: float, name: str) -> bool:
    if not math.isfinite(value):
        return not math.isfinite(recorded)
    rounding = _LOSS_ROUNDING if name == "loss" else _ROUNDING
    return math.isclose(recorded, value, rel_tol=rounding, abs_tol=rounding)


def _judge_loss(recorded: float, loss_range: tuple[float, float]) -> str | None:
    low, high = loss_range
    slack = _LOSS_ROUNDING * max(1.0, abs(low))
    if math.isnan(low) or low - slack <= recorded <= high + slack:
        return None
    return f"loss is {recorded:g} in the record, and {low:g} according to its predictions"
