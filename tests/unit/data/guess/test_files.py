"""Which files of a folder are a study's parts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from headstart.data.guess.files import PartFiles, find_files
from headstart.errors import DataError


def test_file_is_itself(tmp_path: Path) -> None:
    found = find_files(tmp_path / "a.csv")
    assert found == PartFiles({"path": tmp_path / "a.csv"}, (tmp_path / "a.csv",))


def test_files_are_parts_by_their_names(tmp_path: Path) -> None:
    for name in ("training.csv", "dev.csv", "notes.csv"):
        (tmp_path / name).write_text("text,label\na,b\n", encoding="utf-8")
    found = find_files(tmp_path)
    assert found.keys == {"train": tmp_path / "training.csv", "valid": tmp_path / "dev.csv"}
    assert found.parts == ("train", "valid")
    assert [cells for _, cells in found.open_rows()] == [{"text": "a", "label": "b"}]


def test_parts_in_several_files_are_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    names = ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001")
    for name in names:
        (tmp_path / "data" / f"{name}.csv").write_text(f"text,label\n{name},b\n", encoding="utf-8")
    found = find_files(tmp_path)
    assert (found.keys, found.parts) == ({"path": tmp_path}, ("train", "test"))
    assert [cells["text"] for _, cells in found.open_rows()] == [*names[:2]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_seen_in_the_header(tmp_path: Path, separator: str) -> None:
    (tmp_path / "a.csv").write_text(f"text{separator}label\na, b{separator}c\n".replace("a, b", '"a, b"'))
    found = find_files(tmp_path / "a.csv")
    assert found.separator == separator
    assert [cells for _, cells in found.open_rows()] == [{"text": "a, b", "label": "c"}]


@pytest.mark.parametrize("header", ["text,\rlabel", '"text",a\r"b', "text\r,label\r"])
def test_a_carriage_return_in_the_header_is_told_as_a_study_tells_it(tmp_path: Path, header: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(f"{header}\na,b\n".encode())
    found = find_files(file)
    assert found.separator == ","
    with pytest.raises(DataError, match=r"a\.csv:1: "):
        list(found.open_rows())


def test_a_header_longer_than_csv_has_them_is_divided(tmp_path: Path) -> None:
    csv.field_size_limit(131_072)  # as it is before anything was read
    file = tmp_path / "a.csv"
    file.write_text(f"text;{'a' * 200_000}\nb;c\n", encoding="utf-8")
    assert find_files(file).separator == ";"
