"""How classes predicted by several runs agree, with what is true and with each other; of arrays alone.

Shapes: S seeds, N examples, C classes.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np


def count_pairs(rows: np.ndarray, columns: np.ndarray, classes: int) -> np.ndarray:
    """How often class i in `rows` [N] meets class j in `columns` [N]: [C, C]."""
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)


def find_most_frequent(y_pred: np.ndarray, classes: int) -> np.ndarray:
    """The class [N] that most of the S predictions [S, N] give of each example, the first of several."""
    best, most = np.zeros(y_pred.shape[1], np.int64), np.zeros(y_pred.shape[1], np.int64)
    for i in range(classes):  # not all counts at once: there may be many classes
        counts = (y_pred == i).sum(0)
        best[counts > most] = i
        most = np.maximum(most, counts)
    return best


def measure_kappa(counts: np.ndarray) -> float | None:
    """Cohen's kappa of two raters by their counts [C, C]; None where both always give one and the same class.

    Cohen 1960, "A coefficient of agreement for nominal scales", equation 1.
    """
    shares = counts / counts.sum()
    chance = float(shares.sum(0) @ shares.sum(1))
    return None if chance >= 1 else (float(np.trace(shares)) - chance) / (1 - chance)


def measure_seed_agreement(y_pred: np.ndarray, classes: int) -> tuple[float, float | None]:
    """The mean over pairs of the S predictions [S, N], S > 1, of the share of examples of the same class, and
    of Cohen's kappa, None where no pair has one."""
    counts = [count_pairs(one, other, classes) for one, other in combinations(y_pred, 2)]
    kappas = [kappa for one in counts if (kappa := measure_kappa(one)) is not None]
    agreement = float(np.mean([np.trace(one) / one.sum() for one in counts]))
    return agreement, float(np.mean(kappas)) if kappas else None
