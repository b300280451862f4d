"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.store.files import whole_file, write_text


def _write_half(path: Path) -> None:
    with whole_file(path) as scratch:
        scratch.write_text("half")
        raise ZeroDivisionError


def test_text_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "déjà\n")
    assert (tmp_path / "a/b/c.txt").read_bytes() == b"d\xc3\xa9j\xc3\xa0\n"


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_file_is_readable_by_others(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_failing_block_leaves_neither_file_nor_scratch(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_half(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_failing_block_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError):
        _write_half(tmp_path / "a.txt")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as scratch:
        scratch.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
