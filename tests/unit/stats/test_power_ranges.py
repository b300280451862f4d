"""Ranges of a plan hold the truth as often as they say, and are read off a table that is exact enough."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.power import detectable_difference, find_required_examples, find_required_seeds
from headstart.stats.power_ranges import PowerRanges
from headstart.stats.variances import MeanSquares, VarianceComponents, measure_mean_squares

TRUE = VarianceComponents(seeds=0.02**2, examples=0.1, residual=0.1)


def measure(draws: np.random.Generator, seeds: int, n_examples: int) -> MeanSquares:
    """Of a study of differences with the true variances."""
    squares = measure_mean_squares(
        np.sqrt(TRUE.seeds) * draws.normal(size=(seeds, 1))
        + np.sqrt(TRUE.examples) * draws.normal(size=n_examples)
        + np.sqrt(TRUE.residual) * draws.normal(size=(seeds, n_examples))
    )
    assert squares is not None
    return squares


def is_held(truth: float, low: float | None, high: float | None) -> bool:
    return (low or np.inf) <= truth <= (high or np.inf)


@pytest.mark.parametrize("seeds", [3, 5])
def test_ranges_hold_the_truth_four_times_in_five(seeds: int) -> None:
    draws = np.random.default_rng(seeds)
    detectable = detectable_difference(TRUE, 5, 1000)
    required = find_required_seeds(0.06, TRUE, 1000)
    examples = find_required_examples(0.06, TRUE, 8)
    assert required is not None
    assert examples is not None
    held = []
    for _ in range(120):
        ranges = PowerRanges(measure(draws, seeds, 1000), draws)
        held.append(
            [
                is_held(detectable, *ranges.detectable_difference(5, 1000)),
                is_held(required, *ranges.find_required_seeds(0.06, 1000)),
                is_held(examples, *ranges.find_required_examples(0.06, 8)),
            ]
        )
    # Counts of seeds are whole, so that their range holds a little more.
    assert np.all(np.abs(np.mean(held, axis=0) - [0.8, 0.85, 0.8]) < 0.12)


def test_three_seeds_say_little() -> None:
    squares = measure(np.random.default_rng(0), 3, 1000)
    low, high = PowerRanges(squares, np.random.default_rng(0)).detectable_difference(3, 1000)
    assert high > 3 * low
    many = measure(np.random.default_rng(0), 30, 1000)
    low, high = PowerRanges(many, np.random.default_rng(0)).detectable_difference(3, 1000)
    assert high < 1.5 * low


def test_the_table_is_read_as_exactly_as_it_is_computed() -> None:
    """A study whose variances are as good as known: both ends are what they detect."""
    squares = MeanSquares(
        seeds=TRUE.seeds * 1000 + TRUE.residual,
        examples=TRUE.examples * 100_000 + TRUE.residual,
        residual=TRUE.residual,
        n_seeds=100_000,
        n_units=1000,
        n_examples=1000,
    )
    parts = squares.estimate_components()
    ends = PowerRanges(squares, np.random.default_rng(0), alpha=0.01).detectable_difference(4, 5000)
    assert ends == pytest.approx([detectable_difference(parts, 4, 5000, alpha=0.01)] * 2, rel=0.06)
