"""Resamples test examples and seeds with replacement; generators are passed in."""

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
    n_examples: int, generator: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Iterator[np.ndarray]:
    """How often each of N examples is in each resample of N: counts [d, N], some resamples at a time."""
    per_chunk = max(1, _CHUNK // n_examples)
    for start in range(0, n_resamples, per_chunk):
        rows = range(start, min(start + per_chunk, n_resamples))
        counts = [
            np.bincount(generator.integers(0, n_examples, n_examples), minlength=n_examples) for _ in rows
        ]
        yield np.stack(counts) * 1.0


def resample_seeds(scores: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Means [D] of scores [D, S], over seeds resampled in each row by itself."""
    n_resamples, n_seeds = scores.shape
    weights = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_resamples) / n_seeds
    return np.asarray((weights * scores).sum(1))


def compute_percentile_interval(means: np.ndarray) -> tuple[float, float]:
    """The middle 95% of resampled means."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
