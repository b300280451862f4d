"""Tables of the page know what their columns hold, and by which number a cell is sorted."""

from __future__ import annotations

import pytest

from headstart.report.page.blocks import PageTable, find_number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("81.5 ± 2.1†", 81.5),
        ("-5.6 to +22.2", -5.6),
        ("+0.8", 0.8),
        ("23,093,250", 23_093_250),
        ("<0.001", 0.001),
        ("* 71.2 ± 0.4", 71.2),
        ("1016.0 MiB", 1016 * 2**20),
        ("1.13 GiB for 2", 1.13 * 2**30),
        ("1 h 02 min", 3720),
        ("34 s", 34),
        ("-", None),
        ("no useful interval", None),
        ("over 32", 32),
        ("under 1,000", 1000),
        ("over it", None),
        ("2nd", None),
        ("words", None),
    ],
)
def test_a_cell_is_sorted_by_the_number_that_it_begins_with(cell: str, number: float | None) -> None:
    assert find_number(cell) == (None if number is None else pytest.approx(number))


def test_columns_are_keys_figures_words_and_prose() -> None:
    rows = [
        ["arm", "train size", "score", "interval", "verdict", "text"],
        ["a", "20", "1.5", "no useful interval", "better", "1 is a number"],
        ["b", "40", "-", "1 to 2", "undecided", "a"],
        ["majority", "-", "2.5", "1 to 2", "reference", "b"],
    ]
    table = PageTable("t", "A table.", rows, 2, arms=frozenset("ab"), prose=frozenset(("text",)))
    assert table.columns == ["key", "key", "figure", "figure", "word", "prose"]
    assert [table.find_arm(row) for row in table.body] == ["a", "b", None]
    assert [table.find_size(row) for row in table.body] == ["20", "40", "-"]
