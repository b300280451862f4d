"""What classifiers confuse: confusion matrices, scores of each class, calibration, agreement of seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.analysis.details.class_cells import ClassCell, LabelCell
from headstart.config.sizes import Size
from headstart.stats.class_agreement import count_pairs, measure_seed_agreement
from headstart.stats.metrics import divide_or_zero

#: Of a calibration curve.
_BINS: Final = 10


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often an arm's runs gave class `j` (columns) to test examples of class `i` (rows): `counts` [C, C],
    summed over its `n_seeds` seeds. `names` [C] are the classes'.
    """

    arm: str
    size: Size
    n_seeds: int
    names: tuple[str, ...]
    counts: np.ndarray


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of one class or label, means over an arm's seeds, as scikit-learn's
    `precision_recall_fscore_support` with `zero_division=0`; `support` is its number of test examples.
    """

    arm: str
    size: Size
    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions with a confidence from `low` to `high`: how many, their mean confidence, their accuracy."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How an arm's confidence agrees with how often it is right, over its seeds together.

    `bins` are of equal width and hold at least one prediction. `error` is the expected calibration error,
    the mean of |accuracy - confidence| weighted by counts (Guo et al. 2017, equation 3).
    """

    arm: str
    size: Size
    bins: tuple[CalibrationBin, ...]
    error: float


@dataclass(frozen=True)
class SeedAgreement:
    """How often two runs of an arm with other seeds give a test example the same class.

    `agreement` is the mean share over pairs of seeds, `kappa` the mean of Cohen's kappa over them (Cohen
    1960), None where no pair has one: both always gave one class.
    """

    arm: str
    size: Size
    n_seeds: int
    agreement: float
    kappa: float | None


def count_confusions(cell: ClassCell) -> Confusion:
    """Its predictions by class, summed over seeds."""
    classes = len(cell.names)
    counts = sum(
        (count_pairs(cell.y_true, y_pred, classes) for y_pred in cell.y_pred),
        start=np.zeros((classes, classes), np.int64),
    )
    return Confusion(cell.arm, cell.size, len(cell.seeds), cell.names, counts)


def score_classes(cell: ClassCell | LabelCell) -> list[ClassScores]:
    """The scores of each class, or label, in the order of names."""
    score = _score_classes_of if isinstance(cell, ClassCell) else _score_labels_of
    by_seed = np.stack([score(cell, y_pred) for y_pred in cell.y_pred])
    means, support = by_seed.mean(0), _count_support(cell)
    return [
        ClassScores(
            arm=cell.arm,
            size=cell.size,
            name=name,
            precision=float(means[0, i]),
            recall=float(means[1, i]),
            f1=float(means[2, i]),
            support=int(support[i]),
        )
        for i, name in enumerate(cell.names)
    ]


def _count_support(cell: ClassCell | LabelCell) -> np.ndarray:
    """Test examples of each class or label, [C]."""
    is_label = isinstance(cell, LabelCell)
    return cell.y_true.sum(0) if is_label else np.bincount(cell.y_true, minlength=len(cell.names))


def _score_classes_of(cell: ClassCell | LabelCell, y_pred: np.ndarray) -> np.ndarray:
    counts = count_pairs(cell.y_true, y_pred, len(cell.names))
    return _score_counts(np.diag(counts), counts.sum(0), counts.sum(1))


def _score_labels_of(cell: ClassCell | LabelCell, y_pred: np.ndarray) -> np.ndarray:
    return _score_counts((cell.y_true & y_pred).sum(0), y_pred.sum(0), cell.y_true.sum(0))


def _score_counts(right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 [3, C] of how many of each class are right, predicted and true, [C] each."""
    return np.stack(
        [
            divide_or_zero(right, predicted),
            divide_or_zero(right, true),
            divide_or_zero(2 * right, predicted + true),
        ]
    )


def measure_calibration(cell: ClassCell) -> Calibration:
    """The calibration of its predictions, all seeds together, in bins of a tenth."""
    confidence, right = cell.confidence.ravel(), cell.right.ravel()
    # The edges belong to the bin below, as in Guo et al.; what is 0 to the first.
    places = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    bins = tuple(
        _make_bin(i, confidence[places == i], right[places == i]) for i in np.unique(places).tolist()
    )
    gaps = sum(one.count * abs(one.accuracy - one.confidence) for one in bins)
    return Calibration(cell.arm, cell.size, bins, gaps / len(confidence))


def _make_bin(place: int, confidence: np.ndarray, right: np.ndarray) -> CalibrationBin:
    low, high = place / _BINS, (place + 1) / _BINS
    return CalibrationBin(low, high, len(right), float(confidence.mean()), float(right.mean()))


def measure_agreement(cell: ClassCell) -> SeedAgreement | None:
    """How its seeds agree with each other; None of one seed."""
    if len(cell.seeds) < 2:
        return None
    agreement, kappa = measure_seed_agreement(cell.y_pred, len(cell.names))
    return SeedAgreement(cell.arm, cell.size, len(cell.seeds), agreement, kappa)
