"""Anybody's table of items: columns, identities as pandas writes them, and rows that lack something."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.analysis.item_files.table import TABLE
from headstart.errors import DataError


def write(folder: Path, text: str) -> Path:
    file = folder / "items.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_columns_become_rows(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,seed,item,group,score\na,0.0,q1,film 1,1\na,0.0,q2,film 1,0\n")
    assert TABLE.recognises(file)
    items = TABLE.read(file)
    assert items.has_seeds
    assert [(row.arm, row.seed, row.item, row.group, dict(row.values)) for row in items.rows] == [
        ("a", 0, "q1", "film 1", {"score": 1.0}),
        ("a", 0, "q2", "film 1", {"score": 0.0}),
    ]


def test_a_single_run_needs_neither_seed_nor_arm(tmp_path: Path) -> None:
    items = TABLE.read(write(tmp_path, "item,score\nq1,1\n"))
    assert (items.arm, items.has_seeds, items.rows[0].seed, items.rows[0].arm) == ("items", False, 0, None)


def test_numbers_of_items_are_whole_in_every_format(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item": [1.0, 2.0], "score": [0.5, 1.0]}), file)
    assert TABLE.recognises(file)
    assert [row.item for row in TABLE.read(file).rows] == ["1", "2"]


@pytest.mark.parametrize("text", ["arm,seed,accuracy\na,0,0.5\n", "", "arm,item\n"])
def test_a_table_without_items_is_none(tmp_path: Path, text: str) -> None:
    assert not TABLE.recognises(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,score\n,1\n", "csv:2: a row without an item"),
        ("item,group,score\nq,,1\n", "a row without a group"),
        ("arm,item,score\n,q,1\n", "a row without an arm"),
        ("seed,item,score\nx,q,1\n", "seed 'x'"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TABLE.read(write(tmp_path, text))
