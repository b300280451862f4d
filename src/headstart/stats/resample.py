"""Resamples test examples, or whole groups of them, and seeds with replacement; generators are passed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from headstart.stats.summary import LEVEL

#: Resamples behind every bootstrap interval.
N_RESAMPLES: Final = 2000
#: Numbers that are drawn at a time.
_CHUNK: Final = 1 << 22


def draw_example_counts(
    n_examples: int,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """How often each of N examples is in each resample: counts [d, N], some resamples at a time.

    Each row sums to N. Where examples stand in `groups` [N], as many groups are drawn as there are, whole
    (the cluster bootstrap; Davison & Hinkley 1997, "Bootstrap methods", section 3.8, their first strategy).
    As groups differ in size, so do resamples: their counts are scaled, which no metric sees, since all are
    functions of shares.
    """
    codes = None if groups is None else np.unique(groups, return_inverse=True)[1]
    n_drawn = n_examples if codes is None else int(codes.max()) + 1
    per_chunk = max(1, _CHUNK // n_examples)
    for start in range(0, n_resamples, per_chunk):
        rows = range(start, min(start + per_chunk, n_resamples))
        drawn = [np.bincount(generator.integers(0, n_drawn, n_drawn), minlength=n_drawn) for _ in rows]
        counts = np.stack(drawn) * 1.0
        yield counts if codes is None else _spread_over_examples(counts, codes)


def _spread_over_examples(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Counts [d, G] of groups as those [d, N] of their examples, each row with the sum N."""
    spread = counts[:, codes]
    return np.asarray(spread * (len(codes) / spread.sum(1, keepdims=True)))


def resample_seeds(scores: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Means [D] of scores [D, S], over seeds resampled in each row by itself."""
    n_resamples, n_seeds = scores.shape
    weights = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_resamples) / n_seeds
    return np.asarray((weights * scores).sum(1))


def compute_percentile_interval(means: np.ndarray) -> tuple[float, float]:
    """The middle 95% of resampled means."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
