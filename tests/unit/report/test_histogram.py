"""Bars of a terminal: as long as their share, and never invisible."""

from __future__ import annotations

import pytest

from headstart.data.distributions import Bar
from headstart.report.histogram import draw_bar, draw_histogram


@pytest.mark.parametrize(
    ("share", "expected"), [(1, "████"), (0.5, "██"), (0.53125, "██▏"), (0, ""), (1e-9, "▏")]
)
def test_a_bar_is_as_long_as_its_share(share: float, expected: str) -> None:
    assert draw_bar(share, 4) == expected


def test_lines_name_what_a_bar_holds() -> None:
    bars = [Bar(1.0, 2.0, 5), Bar(2.0, 10.0, 10)]
    assert draw_histogram(bars, 2) == ["    1  █ 5", "2 - 9  ██ 10"]


def test_numbers_that_are_not_whole_keep_their_digits() -> None:
    assert draw_histogram([Bar(0.25, 1.5, 0)], 2) == ["0.25 to 1.5   0"]


def test_nothing_gives_no_line() -> None:
    assert draw_histogram([]) == []
