"""Confusions, scores of classes and calibration, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from headstart.analysis.details.class_cells import ClassCell, LabelCell
from headstart.analysis.details.classes import (
    count_confusions,
    measure_agreement,
    measure_calibration,
    score_classes,
)
from headstart.stats.class_agreement import find_most_frequent

NAMES = ("a", "b", "c")


def make_cell(seeds: int = 3, count: int = 200, classes: int = 3) -> ClassCell:
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, classes, count)
    probabilities = generator.dirichlet(np.ones(classes), (seeds, count))
    y_pred = probabilities.argmax(-1)
    common = find_most_frequent(y_pred, classes)
    return ClassCell(
        arm="x",
        size="all",
        seeds=tuple(range(seeds)),
        names=NAMES[:classes],
        ids=np.arange(count),
        y_true=y_true,
        y_pred=y_pred,
        confidence=probabilities.max(-1),
        common=common,
        common_confidence=probabilities[:, np.arange(count), common].mean(0),
    )


def test_confusions_are_summed_over_seeds() -> None:
    cell = make_cell()
    confusion = count_confusions(cell)
    expected = sum(confusion_matrix(cell.y_true, y_pred) for y_pred in cell.y_pred)
    assert (confusion.counts == expected).all()
    assert (confusion.n_seeds, confusion.names) == (3, NAMES)


def test_class_scores_are_means_of_scikit_learns() -> None:
    cell = make_cell()
    oracle = [
        precision_recall_fscore_support(cell.y_true, y_pred, labels=range(3), zero_division=0)
        for y_pred in cell.y_pred
    ]
    expected = np.mean([scores[:3] for scores in oracle], 0)
    rows = score_classes(cell)
    assert pytest.approx(expected) == np.array([(row.precision, row.recall, row.f1) for row in rows]).T
    assert [row.support for row in rows] == oracle[0][3].tolist()
    assert [row.name for row in rows] == list(NAMES)


def test_label_scores_are_means_of_scikit_learns() -> None:
    generator = np.random.default_rng(1)
    y_true, y_pred = generator.integers(0, 2, (60, 3)), generator.integers(0, 2, (2, 60, 3))
    y_pred[:, :, 2] = 0  # never predicted: precision is 0, not undefined
    oracle = [precision_recall_fscore_support(y_true, one, zero_division=0)[:3] for one in y_pred]
    rows = score_classes(LabelCell("x", "all", NAMES, y_true, y_pred))
    found = np.array([(row.precision, row.recall, row.f1) for row in rows]).T
    assert found == pytest.approx(np.mean(oracle, 0))
    assert [row.support for row in rows] == y_true.sum(0).tolist()


def test_calibration_is_scikit_learns() -> None:
    cell = make_cell()
    calibration = measure_calibration(cell)
    accuracy, confidence = calibration_curve(cell.right.ravel(), cell.confidence.ravel(), n_bins=10)
    assert [one.accuracy for one in calibration.bins] == pytest.approx(accuracy)
    assert [one.confidence for one in calibration.bins] == pytest.approx(confidence)
    counts = [one.count for one in calibration.bins]
    assert sum(counts) == cell.right.size
    assert calibration.error == pytest.approx(np.average(np.abs(accuracy - confidence), weights=counts))


def test_a_confident_and_right_model_is_calibrated() -> None:
    cell = make_cell(classes=2)
    sure = ClassCell(
        **vars(cell) | {"y_pred": np.stack([cell.y_true] * 3), "confidence": np.ones_like(cell.confidence)}
    )
    calibration = measure_calibration(sure)
    assert [(one.low, one.high, one.accuracy) for one in calibration.bins] == [(0.9, 1.0, 1.0)]
    assert calibration.error == 0


def test_one_seed_agrees_with_nobody() -> None:
    assert measure_agreement(make_cell(seeds=1)) is None
    agreement = measure_agreement(make_cell())
    assert agreement is not None
    assert 0 < agreement.agreement < 1
