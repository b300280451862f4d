"""Draws test texts and seeds anew, with replacement, by generators that are passed in; judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from headstart.stats.summary import LEVEL

DRAWS: Final = 2000
#: Numbers that are drawn at a time.
_CHUNK: Final = 1 << 22


def text_counts(texts: int, generator: np.random.Generator, draws: int = DRAWS) -> Iterator[np.ndarray]:
    """How often each of N texts is in each resample of N: counts [d, N], some draws at a time."""
    each = max(1, _CHUNK // texts)
    for start in range(0, draws, each):
        rows = range(start, min(start + each, draws))
        yield (
            np.stack([np.bincount(generator.integers(0, texts, texts), minlength=texts) for _ in rows]) * 1.0
        )


def over_seeds(scores: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Means [D] of scores [D, S] over seeds that are drawn anew in each of D resamples."""
    draws, seeds = scores.shape
    shares = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    return np.asarray((shares * scores).sum(1))


def multi_bootstrap(gaps: np.ndarray, generator: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Means of `draws` resamples of `gaps` [S, N], seeds and texts drawn with replacement, each by itself.

    The multi-bootstrap of Sellam et al. 2022, "The MultiBERTs", section 3, for arms that share seeds. Its
    percentiles are too narrow with few seeds (see docs/statistics.md); `crossed_interval` is not.
    """
    texts = gaps.shape[1]
    means = [counts @ gaps.T / texts for counts in text_counts(texts, generator, draws)]
    return over_seeds(np.concatenate(means), generator)


def percentile_interval(means: np.ndarray) -> tuple[float, float]:
    """The middle 95% of resampled means."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
