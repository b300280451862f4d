"""Paired tests with few assumptions: sign flips over seeds, McNemar's over examples or groups of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import signal, stats

#: Of sums of the same numbers.
_ROUNDING: Final = 1e-12
#: Sign flips tried where there are too many to try all, and how many are made at a time: a power of two, so
#: that none is drawn and not used, and what the generator gives next is the same however many are.
_FLIPS: Final = 1 << 16
_BATCH: Final = 1 << 12
#: Seeds of which every one is flipped; of more than these, the largest differences.
_MOST_DRAWN: Final = 512
#: Differences that weigh alike above which their flipped sum is normal to more digits than a sample shows.
MOST_FLIPPED: Final = 10_000


def sign_flip_p(differences: np.ndarray, generator: np.random.Generator) -> float:
    """Two-sided p of the mean of S paired differences [S] under random sign flips.

    Exact up to 16 seeds, where all 2^S signs are tried; up to 512 a sample of them. The flipped sum of more
    has mean zero and variance sum d^2, and is normal as far as its kurtosis, sum d^4 / (sum d^2)^2, is that
    of 10,000 equal differences; else the 512 largest are flipped and the sum of the others, none of which is
    large beside these, is drawn from its normal limit. It assumes only that without an effect a difference is
    as likely to have either sign.
    """
    if len(differences) > _MOST_DRAWN:
        return _flip_largest(differences, generator)
    test = stats.permutation_test(
        (differences,),
        _mean,
        permutation_type="samples",
        n_resamples=_FLIPS,
        vectorized=True,
        batch=_BATCH,
        rng=generator,
    )
    return float(test.pvalue)


def _flip_largest(differences: np.ndarray, generator: np.random.Generator) -> float:
    squares = np.square(differences / np.abs(differences).max())
    size = abs(float(differences.sum()))
    if np.square(squares).sum() * MOST_FLIPPED < squares.sum() ** 2:
        return float(2 * stats.norm.sf(size / np.sqrt(np.square(differences).sum())))
    order = np.argsort(squares)[::-1]
    largest, others = differences[order[:_MOST_DRAWN]], differences[order[_MOST_DRAWN:]]
    sums = generator.normal(0.0, np.sqrt(np.square(others).sum()), _FLIPS)
    for start in range(0, _FLIPS, _BATCH):
        signs = generator.integers(0, 2, (_BATCH, len(largest)), np.int8) * 2 - 1
        sums[start : start + _BATCH] += signs @ largest
    # What adds up to the same in another order is no further from zero, and no nearer.
    reached = np.abs(sums) >= size * (1 - _ROUNDING)
    return float((reached.sum() + 1) / (_FLIPS + 1))


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.mean(x, axis=axis))


def min_sign_flip_p(n_seeds: int) -> float:
    """The smallest p that `sign_flip_p` can give: 0.25 for 3 seeds, 0.031 for 6."""
    return 2.0 ** (1 - n_seeds)


def mcnemar_p(arm: np.ndarray, control: np.ndarray, groups: np.ndarray | None = None) -> float:
    """Two-sided exact p of McNemar's test (1947): models on the same examples, right (1) or wrong (0) [N].

    Only examples count on which they disagree: by chance, each is as often right as the other. Where
    examples stand in `groups` [N], chance exchanges the two models in whole groups: the sum over groups of
    their wins minus losses is compared with its values under all signs of these. Its square by the sum of
    their squares is the statistic of McNemar's test for clustered pairs (Durkalski et al. 2003, "Analysis of
    clustered matched-pair data", Statistics in Medicine 22; for clusters of one size), whose chi-square needs
    some tens of groups; signs of whole blocks are exact with any number (Winkler et al. 2015, "Multi-level
    block permutation", NeuroImage 123). With groups of one it is the test above.
    """
    if groups is not None:
        return _whole_signs_p(_sum_by_group(arm - control, groups))
    wins, losses = int(np.sum(arm > control)), int(np.sum(arm < control))
    return 1.0 if wins + losses == 0 else float(stats.binomtest(wins, wins + losses).pvalue)


def _sum_by_group(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums [G] of whole numbers [N]."""
    codes = np.unique(groups, return_inverse=True)[1]
    return np.bincount(codes, weights=values).round().astype(np.int64)


def _whole_signs_p(totals: np.ndarray) -> float:
    """Two-sided exact p of the sum of whole numbers [G] under all 2^G signs of them.

    n numbers of one size t add up to t (2 k - n), where k of them are positive: a binomial. So one
    convolution for each size gives the distribution of the sum.
    """
    sizes, how_many = np.unique(np.abs(totals[totals != 0]), return_counts=True)
    law = np.ones(1)
    for size, n in zip(sizes, how_many, strict=True):
        steps = np.zeros(2 * size * n + 1)
        steps[:: 2 * size] = stats.binom.pmf(np.arange(n + 1), n, 0.5)
        law = signal.convolve(law, steps)
    sums = np.arange(len(law)) - len(law) // 2
    return min(1.0, float(law[np.abs(sums) >= abs(int(totals.sum()))].sum()))
