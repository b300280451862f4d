"""Quantiles and histograms, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.data.distributions import MAX_BARS, compute_histogram, compute_quantiles


@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_lie_in_bars_of_whole_widths(seed: int) -> None:
    draws = np.random.default_rng(seed)
    values = draws.integers(0, int(draws.integers(1, 300)), 500)
    bars = compute_histogram(values)
    assert len(bars) <= MAX_BARS
    assert sum(bar.count for bar in bars) == 500
    for bar in bars:
        assert bar.count == np.sum((values >= bar.start) & (values < bar.stop))
        assert bar.start.is_integer()
    assert bars[-1].stop == values.max() + 1


def test_other_numbers_lie_in_bars_of_one_width() -> None:
    values = np.random.default_rng(0).normal(size=300)
    counts, edges = np.histogram(values, 4)
    bars = compute_histogram(values, 4)
    assert [bar.count for bar in bars] == counts.tolist()
    assert [bar.start for bar in bars] == edges[:-1].tolist()
    assert bars[-1].stop == values.max()


def test_equal_numbers_are_one_bar() -> None:
    (bar,) = compute_histogram(np.array([7, 7, 7]))
    assert bar.to_dict() == {"from": 7.0, "to": 8.0, "count": 3}
    assert sum(bar.count for bar in compute_histogram(np.array([0.5, 0.5]))) == 2


def test_quantiles_are_named() -> None:
    values = np.random.default_rng(0).normal(size=99)
    fractions = {"min": 0, "q25": 0.25, "median": 0.5, "q75": 0.75, "p95": 0.95, "max": 1}
    expected = {name: float(np.quantile(values, share)) for name, share in fractions.items()}
    assert compute_quantiles(values) == expected
