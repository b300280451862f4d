"""What classifiers confuse: confusion matrices, scores of each class, calibration, agreement of seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.config.study import Size


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
