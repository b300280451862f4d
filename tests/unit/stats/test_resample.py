"""Resamples of seeds and examples: by enumeration, and as functions of their generators."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.resample import compute_percentile_interval, draw_example_counts, resample_seeds


def test_examples_and_seeds_drawn_anew_follow_their_definition() -> None:
    """The variance of their means is what drawing rows and columns of a table gives, by enumeration."""
    table = np.array([[0.0, 1.0], [2.0, 5.0]])
    draws = np.random.default_rng(0)
    by_seed = np.concatenate([counts @ table.T / 2 for counts in draw_example_counts(2, draws, 40_000)])
    means = resample_seeds(by_seed, draws)
    every = [
        np.mean([table[i, j] for i in rows for j in columns])
        for rows in [(0, 0), (0, 1), (1, 0), (1, 1)]
        for columns in [(0, 0), (0, 1), (1, 0), (1, 1)]
    ]
    assert np.mean(means) == pytest.approx(np.mean(every), abs=0.02)
    assert np.var(means) == pytest.approx(np.var(every), rel=0.03)
    assert set(np.round(np.unique(means), 6)) == set(np.round(every, 6))


def test_counts_are_a_function_of_their_generator() -> None:
    first, same, other = (next(draw_example_counts(50, np.random.default_rng(s), 20)) for s in (5, 5, 6))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_percentiles_are_the_middle_of_the_means() -> None:
    assert compute_percentile_interval(np.arange(1001)) == pytest.approx((25.0, 975.0))


def test_many_examples_are_drawn_in_parts() -> None:
    shapes = [counts.shape for counts in draw_example_counts(3_000_000, np.random.default_rng(0), 3)]
    assert shapes == [(1, 3_000_000)] * 3


def test_a_resample_has_as_many_examples_as_there_are() -> None:
    counts = np.concatenate(list(draw_example_counts(50, np.random.default_rng(0), 100)))
    assert counts.shape == (100, 50)
    assert set(counts.sum(1)) == {50.0}
    assert counts.mean() == pytest.approx(1.0)


def test_seeds_are_drawn_apart_in_each_resample() -> None:
    """Every resample of two seeds is one of the four means that there are."""
    scores = np.tile(np.array([[0.0, 1.0]]), (4000, 1))
    means = resample_seeds(scores, np.random.default_rng(0))
    frequencies = [float(np.mean(means == value)) for value in (0.0, 0.5, 1.0)]
    assert frequencies == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_groups_of_one_are_drawn_as_examples_are() -> None:
    plain, grouped = (
        np.concatenate(list(draw_example_counts(50, np.random.default_rng(0), 30, groups)))
        for groups in (None, np.arange(50))
    )
    np.testing.assert_allclose(grouped, plain, rtol=0, atol=1e-12)


def test_groups_are_drawn_whole() -> None:
    groups = np.array([3, 0, 3, 1, 0, 0])
    counts = np.concatenate(list(draw_example_counts(6, np.random.default_rng(0), 200, groups)))
    for number in (0, 1, 3):
        of_group = counts[:, groups == number]
        assert (of_group == of_group[:, :1]).all()
    np.testing.assert_allclose(counts.sum(1), 6)


def test_means_over_groups_vary_as_the_cluster_formula_says() -> None:
    """Of a ratio: sum over groups of (sum of what exceeds the mean)^2 / N^2 (Cochran 1977, section 9A)."""
    draws = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), draws.integers(1, 12, 150))
    values = draws.normal(size=150)[groups] + 0.3 * draws.normal(size=len(groups)) + 2.0
    totals = np.bincount(groups, values - values.mean())
    n = len(values)
    counts = np.concatenate(list(draw_example_counts(n, draws, 20_000, groups)))
    assert np.var(counts @ values / n) == pytest.approx((totals**2).sum() / n**2, rel=0.05)
    # Examples by themselves would vary far less.
    assert np.var(values) / n < 0.3 * (totals**2).sum() / n**2
