"""Details of lighteval: the newer, the documented and the older layout say the same of the same documents."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.analysis.item_files.lighteval import LIGHTEVAL
from headstart.errors import DataError
from others_results import DATE, write_lighteval


@pytest.mark.parametrize("layout", ["new", "documentation", "old"])
def test_documents_are_items(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / "out" / "details" / "org" / "model" / DATE
    file = write_lighteval(
        folder / f"details_leaderboard|arc:challenge|25_{DATE}.parquet",
        [{"acc": 1, "acc_norm": 0}, {"acc": 0, "acc_norm": 0}],
        layout=layout,
    )
    assert LIGHTEVAL.recognises(file)
    items = LIGHTEVAL.read(file)
    assert (items.arm, items.task) == ("org/model", "leaderboard|arc:challenge|25")
    assert [dict(row.values) for row in items.rows] == [{"acc": 1, "acc_norm": 0}, {"acc": 0, "acc_norm": 0}]
    assert len({row.item for row in items.rows}) == 2


def test_the_same_documents_have_the_same_names_in_another_file(tmp_path: Path) -> None:
    scores = [{"em": 1.0}, {"em": 0.0}, {"em": 1.0}]
    first = write_lighteval(tmp_path / "a" / f"details_gsm8k|0_{DATE}.parquet", scores)
    second = write_lighteval(tmp_path / "b" / f"details_gsm8k|0_{DATE}.parquet", scores[::-1])
    items, others = LIGHTEVAL.read(first), LIGHTEVAL.read(second)
    assert [row.item for row in items.rows] == [row.item for row in others.rows]
    assert (items.arm, others.arm) == ("a", "b")


def test_documents_of_equal_content_are_two_items_of_one_group(tmp_path: Path) -> None:
    file = write_lighteval(tmp_path / "d.parquet", [{"em": 1.0}, {"em": 0.0}], questions=["same", "same"])
    first, second = LIGHTEVAL.read(file).rows
    assert second.item == f"{first.item}#2"
    assert first.group == second.group == first.item


def test_a_document_that_is_asked_in_two_ways_is_one_item(tmp_path: Path) -> None:
    """A row for each sampling method, each with nulls for the metrics of the other."""
    scores = [{"acc": 1.0, "ppl": None}, {"acc": None, "ppl": 3.5}]
    file = write_lighteval(tmp_path / "d.parquet", scores, questions=["same", "same"])
    (row,) = LIGHTEVAL.read(file).rows
    assert row.values == {"acc": 1.0, "ppl": 3.5}


def test_other_tables_are_no_details(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"arm": ["a"], "metric": [0.5]}), file)
    assert not LIGHTEVAL.recognises(file)
    file.write_text("no parquet", encoding="utf-8")
    assert not LIGHTEVAL.recognises(file)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = write_lighteval(tmp_path / "d.parquet", [{"em": 1.0}] * 500)
    content = file.read_bytes()
    file.write_bytes(b"PAR1" + b"\xff" * 300 + content[304:])
    with pytest.raises(DataError, match=r"d\.parquet: not Parquet"):
        LIGHTEVAL.read(file)
