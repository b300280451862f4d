"""A file or folder is there whole or not at all, and on the disk before its name is."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headstart.files import (
    is_leftover,
    replace_folder,
    write_file_atomically,
    write_folder_atomically,
    write_text,
)
from headstart.os_faults import MachineError, writing


class CrashError(Exception):
    """What ends a write in the middle."""


def read_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced and renamed, in order, by kind and name."""
    events: list[str] = []
    fsync, rename, replace = os.fsync, Path.rename, Path.replace

    def logged_fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").resolve().name
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        events.append(f"sync {kind} {'temporary' if name.startswith('.') else name}")
        fsync(descriptor)

    def logged(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def call(path: Path, target: Path) -> Path:
            events.append(f"rename to {target.name}")
            return move(path, target)

        return call

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(Path, "rename", logged(rename))
    monkeypatch.setattr(Path, "replace", logged(replace))
    return events


# Files


def write_half_a_file(path: Path) -> None:
    with write_file_atomically(path) as temporary:
        temporary.write_text("half")
        raise CrashError


def test_text_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "déjà\n")
    assert (tmp_path / "a/b/c.txt").read_bytes() == b"d\xc3\xa9j\xc3\xa0\n"


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_others_may_read_the_file_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        write_text(tmp_path / "a.txt", "x")
    assert read_mode(tmp_path / "a.txt") == 0o644


def test_failing_block_leaves_neither_file_nor_temporary(tmp_path: Path) -> None:
    with pytest.raises(CrashError):
        write_half_a_file(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_failing_block_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(CrashError):
        write_half_a_file(tmp_path / "a.txt")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    with write_file_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"


def test_file_is_on_the_disk_before_its_name_and_its_name_after(tmp_path: Path, log: list[str]) -> None:
    write_text(tmp_path / "a.txt", "x")
    assert log == ["sync file temporary", "rename to a.txt", f"sync folder {tmp_path.name}"]


def test_what_need_not_outlive_a_power_cut_is_only_renamed(tmp_path: Path, log: list[str]) -> None:
    write_text(tmp_path / "a.txt", "x", synced=False)
    assert log == ["rename to a.txt"]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "x")]


def test_file_that_cannot_be_synced_does_not_replace_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "a.txt", "old")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(MachineError, match="the disk is full"):
        write_text(tmp_path / "a.txt", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def _refuse_to_sync_folders(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)


@pytest.mark.parametrize("name", ["EINVAL", "ENOTSUP", "EBADF", "ENOSYS"])
def test_file_system_that_cannot_sync_a_folder_is_forgiven(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse_to_sync_folders(getattr(errno, name), monkeypatch)
    write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").read_text() == "x"


@pytest.mark.parametrize(("name", "words"), [("EIO", "the disk reports an error"), ("EDQUOT", "your quota")])
def test_folder_that_is_not_on_the_disk_is_told(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse_to_sync_folders(getattr(errno, name), monkeypatch)
    with pytest.raises(MachineError, match=words):
        write_text(tmp_path / "a.txt", "x")


def kill_in_the_middle(body: str) -> None:
    """Run `body` in a process that is killed where it says `kill()`."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom headstart.files import *\n"
        "kill = lambda: os.kill(os.getpid(), signal.SIGKILL)\n" + body
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -9


def test_killed_writer_leaves_the_old_file_and_one_that_is_known_as_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    write_text(path, "old")
    kill_in_the_middle(
        f"with write_file_atomically(Path({str(path)!r})) as t:\n t.write_text('half')\n kill()\n"
    )
    assert path.read_text() == "old"
    (leftover,) = (entry for entry in tmp_path.iterdir() if entry != path)
    assert is_leftover(leftover, path)
    write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("name", ["study.yaml", ".study.yaml", "study.yaml-abc", ".other-study.yaml-abc"])
def test_no_other_entry_is_taken_for_a_leftover(tmp_path: Path, name: str) -> None:
    assert not is_leftover(tmp_path / name, tmp_path / "study.yaml")
    assert not is_leftover(tmp_path / "below" / ".study.yaml-abcd1234", tmp_path / "study.yaml")


# Folders


def fill(folder: Path, text: str) -> None:
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.txt").write_text(text)


def read_folder(folder: Path) -> str:
    return (folder / "inner" / "a.txt").read_text()


def test_folder_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "parent" / "out"
    with write_folder_atomically(target) as temporary:
        fill(temporary, "new")
        assert not target.exists()
    assert read_folder(target) == "new"
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_others_may_open_the_folder_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask), write_folder_atomically(tmp_path / "out"):
        pass
    assert read_mode(tmp_path / "out") == 0o755


def write_half_a_folder(path: Path) -> None:
    with write_folder_atomically(path) as temporary:
        fill(temporary, "half")
        raise CrashError


def test_failing_block_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CrashError):
        write_half_a_folder(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_could_not_be_written_is_named_where_it_was_to_be(tmp_path: Path) -> None:
    """Its temporary folder is gone when the message is read."""
    with (
        pytest.raises(MachineError, match="the disk is full") as caught,
        write_folder_atomically(tmp_path / "a") as folder,
        writing(folder / "sub" / "b"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.where == f"{tmp_path}/a/sub/b"


def test_folder_and_all_in_it_is_on_the_disk_before_its_name(tmp_path: Path, log: list[str]) -> None:
    with write_folder_atomically(tmp_path / "out") as temporary:
        fill(temporary, "x")
    assert sorted(log[:3]) == ["sync file a.txt", "sync folder inner", "sync folder temporary"]
    assert log[3:] == ["rename to out", f"sync folder {tmp_path.name}"]


def test_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    fill(tmp_path / "out", "old")
    with pytest.raises(FileExistsError), write_folder_atomically(tmp_path / "out") as temporary:
        fill(temporary, "new")
    assert [read_folder(path) for path in tmp_path.iterdir()] == ["old"]


def test_empty_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError), write_folder_atomically(tmp_path / "out") as temporary:
        fill(temporary, "new")
    assert list((tmp_path / "out").iterdir()) == []


def test_folder_that_another_process_made_meanwhile_may_be_kept(tmp_path: Path) -> None:
    with write_folder_atomically(tmp_path / "out", keep_existing=True) as temporary:
        fill(temporary, "mine")
        fill(tmp_path / "out", "theirs")
    assert [read_folder(path) for path in tmp_path.iterdir()] == ["theirs"]


def test_folder_made_between_look_and_rename_is_kept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_late(path: Path, target: Path) -> Path:
        fill(tmp_path / "out", "theirs")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    with write_folder_atomically(tmp_path / "out", keep_existing=True) as temporary:
        fill(temporary, "mine")
    assert [read_folder(path) for path in tmp_path.iterdir()] == ["theirs"]


def test_folder_takes_the_place_of_the_one_there(tmp_path: Path) -> None:
    fill(tmp_path / "target", "old")
    fill(tmp_path / "runs" / "new", "new")
    replace_folder(tmp_path / "runs" / "new", tmp_path / "target")
    assert read_folder(tmp_path / "target") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "target"]
    assert list((tmp_path / "runs").iterdir()) == []


def test_folder_is_on_the_disk_before_it_takes_the_place(tmp_path: Path, log: list[str]) -> None:
    fill(tmp_path / "target", "old")
    fill(tmp_path / "new", "new")
    replace_folder(tmp_path / "new", tmp_path / "target")
    moves = [entry for entry in log if entry.startswith("rename")]
    assert moves == ["rename to .old-target", "rename to target"]
    synced_before = log[: log.index(moves[0])]
    assert sorted(synced_before) == ["sync file a.txt", "sync folder inner", "sync folder new"]
    assert log[log.index(moves[1]) + 1] == f"sync folder {tmp_path.name}"


def test_old_folder_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "target", "old")
    fill(tmp_path / "new", "new")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(MachineError, match="the disk is full"):
        replace_folder(tmp_path / "new", tmp_path / "target")
    assert read_folder(tmp_path / "target") == "old"


def test_replacing_killed_between_the_renames_loses_neither_and_is_done_again(tmp_path: Path) -> None:
    fill(tmp_path / "target", "old")
    fill(tmp_path / "new", "new")
    kill_in_the_middle(
        f"root = Path({str(tmp_path)!r})\n"
        "rename = Path.rename\n"
        "Path.rename = lambda a, b: kill() if b.name == 'target' else rename(a, b)\n"
        "replace_folder(root / 'new', root / 'target')\n"
    )
    assert {read_folder(path) for path in tmp_path.iterdir()} == {"old", "new"}
    replace_folder(tmp_path / "new", tmp_path / "target")
    assert [read_folder(path) for path in tmp_path.iterdir()] == ["new"]
