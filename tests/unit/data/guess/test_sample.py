"""A sample is spread over the whole source and is in its order; of a small source it is all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scipy import stats

from headstart.data.formats import Cells
from headstart.data.guess.sample import sample_rows


def make_source(count: int) -> Iterator[Cells]:
    return ((f"a.csv:{i + 2}", {"i": i}) for i in range(count))


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_small_source_is_all_seen(count: int) -> None:
    sample = sample_rows(make_source(count), most=5)
    assert [row["i"] for row in sample.rows] == list(range(count))
    assert sample.total == count


@pytest.mark.parametrize("count", [6, 7, 50, 10_000])
def test_rows_are_counted_and_each_is_drawn_once_in_order(count: int) -> None:
    sample = sample_rows(make_source(count), most=5)
    drawn = [row["i"] for row in sample.rows]
    assert sample.total == count
    assert len(drawn) == 5
    assert drawn == sorted(set(drawn))
    assert drawn[-1] < count


def test_rows_are_spread_evenly() -> None:
    drawn = [row["i"] for row in sample_rows(make_source(100_000), most=2000).rows]
    # The draw is always this one: what has one chance in a thousand would be no even spread.
    assert stats.kstest([(i + 0.5) / 100_000 for i in drawn], "uniform").pvalue > 0.001
    # Of rows that come in turns it sees each as often: no stride meets one of them alone.
    for period in (2, 3, 64):
        counts = [sum(i % period == k for i in drawn) for k in range(period)]
        assert stats.chisquare(counts).pvalue > 0.001


def test_the_same_rows_are_drawn_again() -> None:
    assert sample_rows(make_source(1000), most=9) == sample_rows(make_source(1000), most=9)
