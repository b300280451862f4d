"""The cache stays small: the entries used longest ago go, and what killed writers left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from headstart.data.cache import LEFTOVER_SECONDS, MAX_ENTRIES, get_cache_folder, remove_oldest


def make(path: Path, age: float = 0, *, folder: bool = False) -> Path:
    """An entry that was used `age` seconds ago."""
    if folder:
        path.mkdir()
        (path / "ids.npy").touch()
    else:
        path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_folder_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "mine"))
    assert get_cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("HEADSTART_CACHE")
    assert get_cache_folder().name == "headstart"


@pytest.mark.parametrize("folder", [False, True])
def test_entries_used_longest_ago_go(tmp_path: Path, folder: bool) -> None:
    for i in range(MAX_ENTRIES + 3):
        make(tmp_path / str(i), age=1000 - i, folder=folder)
    remove_oldest(tmp_path)
    kept = {str(i) for i in range(3, MAX_ENTRIES + 3)}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_few_entries_stay_however_old(tmp_path: Path) -> None:
    old = make(tmp_path / "a", age=10 * LEFTOVER_SECONDS)
    remove_oldest(tmp_path)
    assert old.exists()


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(tmp_path: Path, folder: bool) -> None:
    make(tmp_path / ".a-abcd1234", age=LEFTOVER_SECONDS + 60, folder=folder)
    recent = make(tmp_path / ".a-efgh5678", age=60, folder=folder)
    remove_oldest(tmp_path)
    assert list(tmp_path.iterdir()) == [recent]
