"""The cache stays small: the entries used longest ago that nobody uses go, and what killed writers left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from headstart.data import cache as module
from headstart.data.cache import LEFTOVER_SECONDS, is_whole, make_room, open_entry
from headstart.data.cache_folder import get_cache_folder, leave_temporary_cache, tell_of_temporary_cache
from headstart.data.cache_use import hold_entry, list_held, locking, release_entries
from headstart.os_faults import MachineError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own, for four entries and a thousand bytes."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "MAX_ENTRIES", 4)
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    yield tmp_path
    leave_temporary_cache()
    release_entries()


def name(i: int) -> str:
    return f"{i:032x}"


def make(path: Path, age: float = 0, *, folder: bool = True, size: int = 1) -> Path:
    """An entry of so many bytes that was used `age` seconds ago."""
    if folder:
        path.mkdir()
        (path / "ids.npy").write_bytes(bytes(size))
    else:
        path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


def list_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock", ".in-use"}


def list_held_locked(folder: Path) -> frozenset[str]:
    with locking(folder):
        return list_held(folder)


def test_folder_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "mine"))
    assert get_cache_folder() == tmp_path / "mine"
    for value in ("", " "):
        monkeypatch.setenv("HEADSTART_CACHE", value)
        assert get_cache_folder().name == "headstart"
    monkeypatch.delenv("HEADSTART_CACHE")
    assert get_cache_folder().name == "headstart"


@pytest.mark.parametrize(("variable", "value"), [("HOME", ""), ("HOME", "here"), ("XDG_CACHE_HOME", "here")])
def test_folder_is_absolute_whatever_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.delenv("HEADSTART_CACHE")
    monkeypatch.setenv(variable, value)
    assert get_cache_folder().is_absolute()
    monkeypatch.setenv("HEADSTART_CACHE", "here")
    assert get_cache_folder() == Path.cwd() / "here"


@pytest.mark.parametrize("folder", [False, True])
def test_entries_used_longest_ago_go(tmp_path: Path, folder: bool) -> None:
    for i in range(7):
        make(tmp_path / name(i), age=1000 - i, folder=folder)
    make_room(tmp_path)
    assert list_names(tmp_path) == {name(i) for i in (4, 5, 6)}  # with room for one more


def test_large_entries_go_for_their_bytes(tmp_path: Path) -> None:
    make(tmp_path / name(0), age=30, size=10)
    make(tmp_path / name(1), age=20, size=990)
    make(tmp_path / name(2), age=10, size=600)
    make_room(tmp_path)
    assert list_names(tmp_path) == {name(2)}


def test_few_entries_stay_however_old(tmp_path: Path) -> None:
    old = make(tmp_path / name(0), age=10 * LEFTOVER_SECONDS)
    make_room(tmp_path)
    assert old.exists()


def test_what_is_in_use_stays_whatever_the_bounds(tmp_path: Path) -> None:
    for i in range(9):
        make(tmp_path / name(i), age=1000 - i, size=500)
        hold_entry(tmp_path / name(i))
    make_room(tmp_path)
    assert list_names(tmp_path) == {name(i) for i in range(9)}
    release_entries()
    make_room(tmp_path)
    assert list_names(tmp_path) == {name(7), name(8)}


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    """`HEADSTART_CACHE` may name a folder that holds something else."""
    for i in range(9):
        make(tmp_path / f"mine-{i}", age=1000)
    make(tmp_path / ".mine", age=LEFTOVER_SECONDS + 60)
    make_room(tmp_path)
    assert list_names(tmp_path) == {".mine", *(f"mine-{i}" for i in range(9))}


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(tmp_path: Path, folder: bool) -> None:
    make(tmp_path / f".{name(1)}-abcd1234", age=LEFTOVER_SECONDS + 60, folder=folder)
    recent = make(tmp_path / f".{name(2)}-efgh5678", age=60, folder=folder)
    make_room(tmp_path)
    assert list_names(tmp_path) == {recent.name}


_HOLDER = """
import sys
from pathlib import Path
from headstart.data.cache_use import hold_entry
hold_entry(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_process_uses_stays_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    entries = [make(tmp_path / name(i), age=1000 - i) for i in range(6)]
    command = [sys.executable, "-c", _HOLDER, str(entries[0])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        make_room(tmp_path)
        assert list_names(tmp_path) == {name(i) for i in (0, 4, 5)}
        holder.kill()
    assert list_held_locked(tmp_path) == frozenset()
    assert list((tmp_path / ".in-use").iterdir()) == []


def test_marks_are_made_again_after_somebody_cleaned_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    hold_entry(folder / name(1))
    for marks in (folder / ".in-use").iterdir():
        marks.unlink()
    (folder / ".in-use").rmdir()
    hold_entry(folder / name(2))
    assert name(2) in list_held_locked(folder)


def save(folder: Path) -> None:
    np.save(folder / "a.npy", np.arange(3))


@pytest.mark.parametrize(
    "manifest",
    [
        "[" * 5000,
        '{"/dev/zero": "0"}',
        '{"../../../../../../dev/zero": "0"}',
        '{"endless": "0"}',
        "{}",
        '{"\\ud800": "0"}',
    ],
)
def test_a_manifest_that_says_anything_else_is_none(tmp_path: Path, manifest: str) -> None:
    entry = make(tmp_path / name(1))
    (entry / "endless").symlink_to("/dev/zero")
    (entry / "entry.json").write_text(manifest, encoding="utf-8")
    assert not is_whole(entry)


def test_a_manifest_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    entry = make(tmp_path / name(1))
    os.mkfifo(entry / "entry.json")
    assert not is_whole(entry)


def test_entry_is_made_once() -> None:
    folder = open_entry("tokens", name(1), save)
    before = (folder / "a.npy").stat().st_ino
    assert open_entry("tokens", name(1), lambda _: pytest.fail("made again")) == folder
    assert (folder / "a.npy").stat().st_ino == before
    assert is_whole(folder)


def test_whole_entry_is_read_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_entry("tokens", name(1), save)
    assert is_whole(folder)
    monkeypatch.setattr(module, "hash_file", lambda _: pytest.fail("read again"))
    assert is_whole(folder)


def test_cache_that_is_a_file_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    folder = open_entry("tokens", name(1), save)
    assert is_whole(folder)
    assert not folder.is_relative_to(tmp_path)
    assert get_cache_folder() == folder.parents[1]
    assert len(list(tell_of_temporary_cache())) == 1


def test_without_a_folder_for_temporary_files_the_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(
        "tempfile.gettempdir", lambda: (_ for _ in ()).throw(FileNotFoundError("none usable"))
    )
    with pytest.raises(MachineError, match="part of the path is a file") as caught:
        open_entry("tokens", name(1), save)
    assert str(caught.value.where).startswith(str(tmp_path / "file"))


_FILLER = """
import sys
from headstart.data import cache
cache.MAX_ENTRIES = 2
made = []
def fill(folder):
    made.append(folder)
    (folder / "a").write_text("a")
print("ready", flush=True)
sys.stdin.readline()
folders = [cache.open_entry("tokens", f"{i:032x}", fill) for i in range(60)]
print(len(made), flush=True)
sys.stdin.readline()
print(all(cache.is_whole(folder) for folder in folders), cache.get_cache_folder(), flush=True)
"""


def test_two_processes_write_the_same_entries_at_once_and_keep_what_each_other_use(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FILLER]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    said: list[list[str]] = [[] for _ in processes]
    for _ in range(3):  # ready; how many were made; whether all are there
        for process, lines in zip(processes, said, strict=True):
            assert process.stdout is not None
            lines.append(process.stdout.readline().strip())
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go on\n")
            process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [lines[0] for lines in said] == ["ready", "ready"]
    assert sum(int(lines[1]) for lines in said) >= 60
    assert [lines[2] for lines in said] == [f"True {tmp_path}"] * 2


@pytest.mark.parametrize("fault", ["ENOLCK", "ENOTSUP", "ENOSYS"])
def test_a_file_system_without_locks_serves(fault: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used in the last day stays then: nobody can tell who lives."""

    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, fault), "no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)

    def write(folder: Path) -> None:
        (folder / "a").write_bytes(b"a")

    for i in range(6):
        open_entry("tokens", name(i), write)
    entries = [entry for entry in (cache / "tokens").iterdir() if not entry.name.startswith(".")]
    assert sorted(entry.name for entry in entries) == [name(i) for i in range(6)]
    assert all(map(is_whole, entries))
    assert not list(tell_of_temporary_cache())
