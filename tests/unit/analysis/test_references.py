"""What always giving the same answer scores, beside scikit-learn's dummies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from headstart.analysis.references import find_reference
from headstart.analysis.study_runs import order_runs
from headstart.records import Reference
from headstart.store.prediction_tables import Predictions
from studies import make_record, make_study


def find(
    predictions: Predictions | None, labels: Mapping[str, Any] | None, **changes: Any
) -> Reference | None:
    study = make_study(seeds=1, **changes)
    runs = order_runs(study, [make_record("random", 0, 0.5, metric=study.metric)])
    return find_reference(runs, lambda key, metric: predictions, labels)


def make_classes(y_true: np.ndarray) -> Predictions:
    return Predictions("classes", y_true, y_true, 3, "d", names=("a", "b", "c"))


def test_the_most_frequent_training_class_is_scored_on_test() -> None:
    y_true = np.repeat([0, 1, 2], [50, 30, 20])
    counts = {"a": {"train": 3}, "b": {"train": 8}, "c": {"train": 5}}
    found = find(make_classes(y_true), {"counts": counts})
    assert found is not None
    assert (found.name, found.answer, found.part) == ("majority", "b", "train")
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((16, 1)), np.repeat([0, 1, 2], [3, 8, 5]))
    y_pred = dummy.predict(np.zeros((100, 1)))
    assert found.scores == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(y_true, y_pred),
            "balanced_accuracy": metrics.balanced_accuracy_score(y_true, y_pred),
            "macro_f1": metrics.f1_score(y_true, y_pred, average="macro", zero_division=0),
            "mcc": 0.0,
        }
    )


@pytest.mark.parametrize("labels", [None, {}, {"counts": {"a": {"train": 3}}}, {"counts": 7}])
def test_where_training_texts_are_not_known_it_is_the_tests(labels: Any) -> None:
    found = find(make_classes(np.repeat([0, 1, 2], [20, 50, 30])), labels)
    assert found is not None
    assert (found.answer, found.part, found.scores["accuracy"]) == ("b", "test", 0.5)


def test_the_most_frequent_set_of_labels() -> None:
    y_true = np.array([[0, 1], [1, 1], [1, 1], [0, 0]], np.int8)
    predictions = Predictions("labels", y_true, y_true, 2, "d", names=("a", "b"))
    trained = find(predictions, {"most_frequent_set": ["b"]}, task="multi-label")
    assert trained is not None
    assert (trained.name, trained.answer, trained.scores["exact_match"]) == ("majority set", ("b",), 0.25)
    y_pred = np.tile([0, 1], (4, 1))
    assert trained.scores["micro_f1"] == pytest.approx(metrics.f1_score(y_true, y_pred, average="micro"))
    of_test = find(predictions, {"counts": {}}, task="multi-label")
    assert of_test is not None
    assert (of_test.answer, of_test.part, of_test.scores["exact_match"]) == (("a", "b"), "test", 0.5)


def test_the_median_of_numbers() -> None:
    y_true = np.array([0.0, 1.0, 2.0, 7.0])
    predictions = Predictions("numbers", y_true, y_true, 0, "d")
    found = find(predictions, {"numbers": {"train": {"median": 2.5}}}, task="regression")
    assert found is not None
    assert (found.name, found.answer, found.part) == ("median", 2.5, "train")
    y_pred = DummyRegressor(strategy="constant", constant=2.5).fit([[0]], [0]).predict(np.zeros((4, 1)))
    assert found.scores["mae"] == pytest.approx(metrics.mean_absolute_error(y_true, y_pred))
    assert found.scores["rmse"] == pytest.approx(metrics.root_mean_squared_error(y_true, y_pred))
    assert found.scores["pearson"] == 0


def test_without_predictions_there_is_none() -> None:
    assert find(None, {"counts": {"a": {"train": 3}}}) is None
