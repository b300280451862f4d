"""What always giving the same answer would score on a study's test: the reference beside its arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from headstart.analysis.collapsed import read_first_labelled
from headstart.analysis.measured_tests import ReadPredictions
from headstart.analysis.study_runs import StudyRuns
from headstart.records import Reference
from headstart.stats.one_answer import number_sets
from headstart.store.prediction_tables import Predictions
from headstart.store.recomputed import compute_test_scores


def find_reference(
    runs: StudyRuns, read: ReadPredictions, labels: Mapping[str, Any] | None = None
) -> Reference | None:
    """That of the study's task; None where no predictions are there, or the task has no labels.

    Args:
        labels: statistics of the labels as `plan.json` has them, which say what is most frequent in the
            training examples; without them it is what is most frequent in the test.

    Raises:
        DamagedFileError: predictions cannot be read.
    """
    first = read_first_labelled(runs, read)
    if first is None or first.kind not in ("classes", "labels", "numbers"):
        return None
    answer = _find_trained_answer(first, labels or {})
    part = "test" if answer is None else "train"
    answer = _find_test_answer(first) if answer is None else answer
    return Reference.model_validate(
        {
            "name": {"classes": "majority", "labels": "majority set", "numbers": "median"}[first.kind],
            "answer": _name_answer(answer, first),
            "part": part,
            "scores": compute_test_scores(replace(first, y_pred=_repeat(answer, first))),
        }
    )


def _find_trained_answer(test: Predictions, labels: Mapping[str, Any]) -> np.ndarray | None:
    """What is most frequent in the training examples, as one row of predictions; None where it is not known,
    or `plan.json` is of other data."""
    try:
        if test.kind == "numbers":
            return np.array(float(labels["numbers"]["train"]["median"]))
        if test.kind == "labels":
            flags = [name in labels["most_frequent_set"] for name in test.names]
            return np.array(flags, test.y_true.dtype)
        counts = [int(labels["counts"][name]["train"]) for name in test.names]
        return np.array(int(np.argmax(counts)))
    except (LookupError, TypeError, ValueError):
        return None


def _find_test_answer(test: Predictions) -> np.ndarray:
    """What is most frequent in the test itself."""
    if test.kind == "numbers":
        return np.asarray(np.median(test.y_true))
    if test.kind == "classes":
        return np.asarray(np.bincount(test.y_true).argmax())
    (numbers,) = number_sets(test.y_true)
    return np.asarray(test.y_true[np.flatnonzero(numbers == np.bincount(numbers).argmax())[0]])


def _repeat(answer: np.ndarray, test: Predictions) -> np.ndarray:
    return np.broadcast_to(answer, test.y_true.shape).astype(test.y_true.dtype)


def _name_answer(answer: np.ndarray, test: Predictions) -> str | tuple[str, ...] | float:
    if test.kind == "numbers":
        return float(answer)
    if test.kind == "classes":
        return test.names[int(answer)]
    return tuple(name for name, flag in zip(test.names, answer, strict=True) if flag)
