"""Cells with several labels are told from names and texts that hold a separator."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.data.guess.columns import describe_columns
from headstart.data.guess.label_sets import count_listed, find_separator, holds_rows_of_flags, split_labels


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["funny|film", "funny", "film|war", "war|funny"], "|"),
        (["funny; film", "funny", "film; war", "war; funny"], ";"),
        (["funny, film", "funny", "film, war", "war, funny"], ","),
        (["Sports, Outdoors", "Books", "Toys, Games"] * 9, None),
        (["1,5", "2,5", "1,25"] * 9, None),
        (["it was good, and long, and I liked it a lot", "it was good, too"], None),
        (["funny", "film"], None),
    ],
)
def test_separators(cells: list[str], separator: str | None) -> None:
    column = describe_columns([{"it": cell} for cell in cells])["it"]
    assert find_separator(column) == separator


def test_labels_of_a_cell() -> None:
    assert split_labels(" funny| film |", "|") == ["funny", "film"]


@pytest.mark.parametrize(
    ("cells", "counts"),
    [
        ([["a", "b"], ["a"], []], {"a": 2, "b": 1}),
        (["['a', 'b']", "['a']"], {"a": 2, "b": 1}),
        ([[1, 0, 1], [0, 0, 1]], {"0": 1, "1": 0, "2": 2}),
        (["[1, 0, 1]", "[0, 0, 1]"], {"0": 1, "1": 0, "2": 2}),
    ],
)
def test_listed_labels_are_counted(cells: list[Any], counts: dict[str, int]) -> None:
    column = describe_columns([{"it": cell} for cell in cells])["it"]
    assert count_listed(column) == counts
    assert holds_rows_of_flags(column) is ("0" in counts)
