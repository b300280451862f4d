"""Tests of paired differences that assume little: signs over seeds, disagreements over texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

#: Flips tried where there are too many to try all.
_FLIPS: Final = 1 << 16


def sign_flip(gaps: np.ndarray, generator: np.random.Generator) -> float:
    """Two-sided p of S paired differences [S] under random signs: does chance alone make such a mean?

    Exact up to 16 seeds, where all 2^S signs are tried; else a sample of them. It assumes only that without
    an effect a difference is as likely to have either sign.
    """
    found = stats.permutation_test(
        (gaps,), _mean, permutation_type="samples", n_resamples=_FLIPS, vectorized=True, rng=generator
    )
    return float(found.pvalue)


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.mean(x, axis=axis))


def least_p(seeds: int) -> float:
    """The smallest p that `sign_flip` can give: 0.25 for 3 seeds, 0.031 for 6."""
    return 2.0 ** (1 - seeds)


def mcnemar(arm: np.ndarray, control: np.ndarray) -> float:
    """Two-sided exact p of McNemar's test (1947): models on the same texts, right or wrong as [N] of 0 and 1.

    Only texts count on which they disagree: by chance, each is as often right as the other.
    """
    wins, losses = int(np.sum(arm > control)), int(np.sum(arm < control))
    return 1.0 if wins + losses == 0 else float(stats.binomtest(wins, wins + losses).pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """The p values of several tests, corrected so that all false alarms together stay below the level.

    Holm 1979, "A simple sequentially rejective multiple test procedure": the i-th smallest of m is
    multiplied by m - i + 1, and none is below a smaller one's.
    """
    order = np.argsort(values, kind="stable")
    corrected, largest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = largest
    return corrected
