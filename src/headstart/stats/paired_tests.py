"""Tests of paired differences with few assumptions: sign flips over seeds, McNemar's over examples."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats

#: Sign flips tried where there are too many to try all.
_FLIPS: Final = 1 << 16


def sign_flip_p(differences: np.ndarray, generator: np.random.Generator) -> float:
    """Two-sided p of the mean of S paired differences [S] under random sign flips.

    Exact up to 16 seeds, where all 2^S signs are tried; else a sample of them. It assumes only that without
    an effect a difference is as likely to have either sign.
    """
    test = stats.permutation_test(
        (differences,), _mean, permutation_type="samples", n_resamples=_FLIPS, vectorized=True, rng=generator
    )
    return float(test.pvalue)


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.mean(x, axis=axis))


def min_sign_flip_p(n_seeds: int) -> float:
    """The smallest p that `sign_flip_p` can give: 0.25 for 3 seeds, 0.031 for 6."""
    return 2.0 ** (1 - n_seeds)


def mcnemar_p(arm: np.ndarray, control: np.ndarray) -> float:
    """Two-sided exact p of McNemar's test (1947): models on the same examples, right (1) or wrong (0) [N].

    Only examples count on which they disagree: by chance, each is as often right as the other.
    """
    wins, losses = int(np.sum(arm > control)), int(np.sum(arm < control))
    return 1.0 if wins + losses == 0 else float(stats.binomtest(wins, wins + losses).pvalue)
