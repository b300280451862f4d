"""Resamples of seeds and texts: by enumeration, and as functions of their generators."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.resample import multi_bootstrap, over_seeds, percentile_interval, text_counts


def gaps(seeds: int, texts: int, draws: np.random.Generator) -> np.ndarray:
    """A table [S, N] with parts of seeds and of texts."""
    return np.asarray(
        draws.normal(size=(seeds, 1)) + draws.normal(size=(1, texts)) + draws.normal(size=(seeds, texts))
    )


def test_the_multi_bootstrap_follows_its_definition() -> None:
    """Its variance, over draws, is what resampling rows and columns of a table gives, by enumeration."""
    table = np.array([[0.0, 1.0], [2.0, 5.0]])
    means = multi_bootstrap(table, np.random.default_rng(0), 40_000)
    every = [
        np.mean([table[i, j] for i in rows for j in columns])
        for rows in [(0, 0), (0, 1), (1, 0), (1, 1)]
        for columns in [(0, 0), (0, 1), (1, 0), (1, 1)]
    ]
    assert np.mean(means) == pytest.approx(np.mean(every), abs=0.02)
    assert np.var(means) == pytest.approx(np.var(every), rel=0.03)
    assert set(np.round(np.unique(means), 6)) == set(np.round(every, 6))


def test_a_bootstrap_is_a_function_of_its_generator() -> None:
    table = gaps(3, 50, np.random.default_rng(1))
    one, same, other = (multi_bootstrap(table, np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_percentiles_are_the_middle_of_the_means() -> None:
    assert percentile_interval(np.arange(1001)) == pytest.approx((25.0, 975.0))


def test_many_texts_are_drawn_in_parts() -> None:
    table = gaps(2, 3_000_000, np.random.default_rng(0))
    assert len(multi_bootstrap(table, np.random.default_rng(0), 3)) == 3


def test_a_resample_has_as_many_texts_as_there_are() -> None:
    counts = np.concatenate(list(text_counts(50, np.random.default_rng(0), 100)))
    assert counts.shape == (100, 50)
    assert set(counts.sum(1)) == {50.0}
    assert counts.mean() == pytest.approx(1.0)


def test_seeds_are_drawn_apart_in_each_resample() -> None:
    """Every resample of two seeds is one of the four means that there are."""
    scores = np.tile(np.array([[0.0, 1.0]]), (4000, 1))
    means = over_seeds(scores, np.random.default_rng(0))
    shares = [float(np.mean(means == value)) for value in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
