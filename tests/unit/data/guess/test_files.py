"""Which files of a folder are a study's parts."""

from __future__ import annotations

from pathlib import Path

from headstart.data.guess.files import find_files, open_rows


def test_file_is_itself(tmp_path: Path) -> None:
    found = find_files(tmp_path / "a.csv")
    assert (found.keys, found.train, found.parts) == ({"path": tmp_path / "a.csv"}, tmp_path / "a.csv", ())


def test_files_are_parts_by_their_names(tmp_path: Path) -> None:
    for name in ("training.csv", "dev.csv", "notes.csv"):
        (tmp_path / name).write_text("text,label\na,b\n", encoding="utf-8")
    found = find_files(tmp_path)
    assert found.keys == {"train": tmp_path / "training.csv", "valid": tmp_path / "dev.csv"}
    assert found.parts == ("train", "valid")
    assert [cells for _, cells in open_rows(found.train)] == [{"text": "a", "label": "b"}]
