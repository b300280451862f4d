"""Rows as columns are the rows that went in, whatever their places, labels and texts are."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from headstart.data.corpus import Row
from headstart.data.row_table import RowTable

PLACES = [
    "a.csv:2",
    "a.csv:10",
    "b.parquet row 7",
    "neg/007.txt",
    "neg/0",
    "x",
    "9",
    "a:99999999999999999999",
]
LABELS: list[Any] = [1, 1.0, True, "1", None, [1], [1.0], {"a": 1}, 1, "1", float("nan"), "\u00e9"]


def make_rows(texts: list[Any]) -> list[Row]:
    return [
        Row(3 * i, PLACES[i % len(PLACES)], text, LABELS[i % len(LABELS)], [None, "g", ""][i % 3], None)
        for i, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["", "a\x1eb", "\U0001f600", "\ud800 half"] * 6,
        [("a", "b"), ("", "")] * 9,
        [("u", "a", "s", "b"), ("u",)] * 4,
    ],
)
def test_rows_come_back_as_they_went_in(texts: list[Any]) -> None:
    rows = make_rows(texts)
    table = RowTable.of(rows)
    assert repr(list(table)) == repr(rows)
    assert repr([table[i] for i in range(len(rows))]) == repr(rows)
    assert repr(list(table.select(np.array([5, 0, 5])))) == repr([rows[5], rows[0], rows[5]])
    assert repr(list(table[1:4])) == repr(rows[1:4])
    assert list(pickle.loads(pickle.dumps(table.texts))) == texts


def test_each_different_label_has_its_first_row() -> None:
    rows = make_rows([f"text {i}" for i in range(40)])
    distinct, which = RowTable.of(rows).find_distinct()
    kinds = [repr(row.label) for row in rows]
    assert [repr(row.label) for row in distinct] == list(dict.fromkeys(kinds))
    assert [row.text for row in distinct] == [f"text {kinds.index(kind)}" for kind in dict.fromkeys(kinds)]
    assert [repr(distinct[i].label) for i in which] == kinds


def test_many_rows_take_little_more_than_their_texts() -> None:
    rows = RowTable.of([Row(i, f"data.csv:{i}", f"{i:0100}", "ab"[i % 2], None, None) for i in range(5000)])
    assert len(pickle.dumps(rows)) < 5000 * 200
