"""Keys of sheets: found by the sheet's name in the study that it was written for, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import OutputError
from headstart.store.judging_keys import (
    JudgingKey,
    PairKey,
    RowKey,
    list_sheets,
    read_judging_key,
    write_judging_key,
)
from headstart.store.layout import StudyLayout

KEY = JudgingKey(
    sheet="abcdefghijkl",
    arm="lora",
    control="base",
    size="all",
    draw=0,
    rows=(RowKey(row=1, id=4, seed=2, group=7, first="arm", digests=("a", "b", "c")),),
    equal=(PairKey(id=5, seed=0),),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    path = write_judging_key(layout, KEY)
    assert path == tmp_path / "judging" / "abcdefghijkl.json"
    assert path.read_text("utf-8").startswith('{\n "schema_version": 2')
    assert read_judging_key(layout, "abcdefghijkl", tmp_path / "s.csv") == KEY
    assert list_sheets(layout) == ["abcdefghijkl"]


@pytest.mark.parametrize("name", ["zzzzzzzzzzzz", "../looks", "", "abcdefghijkl.json"])
def test_other_names_are_of_no_sheet(tmp_path: Path, name: str) -> None:
    write_judging_key(StudyLayout(tmp_path), KEY)
    with pytest.raises(OutputError, match=r"does not belong to the study(.|\n)*one of abcdefghijkl"):
        read_judging_key(StudyLayout(tmp_path), name, tmp_path / "s.csv")


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    path = write_judging_key(StudyLayout(tmp_path), KEY)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=r"abcdefghijkl\.json: has no schema_version"):
        read_judging_key(StudyLayout(tmp_path), "abcdefghijkl", tmp_path / "s.csv")
