"""What the system refuses is one sentence with the path, what it means and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from headstart.errors import HeadstartError
from headstart.os_faults import (
    MachineError,
    beginning,
    check_lookup,
    explain_system_error,
    is_of_the_machine,
    reading,
    writing,
)

NUMBERS = ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO", "ENAMETOOLONG", "EMFILE", "EFBIG", "ENOTDIR")


@pytest.mark.parametrize("name", NUMBERS)
def test_what_cannot_be_written_is_named_with_a_remedy(name: str) -> None:
    with pytest.raises(MachineError) as caught, writing("a/b"):
        raise OSError(getattr(errno, name), "as the system says it")
    assert caught.value.where == "a/b"
    assert caught.value.got.startswith("cannot be written: ")
    assert "as the system says it" not in caught.value.got
    assert caught.value.fix


def test_messages_of_libraries_are_understood() -> None:
    assert is_of_the_machine(OSError("10000 requested and 109 written"))
    assert is_of_the_machine(type("SafetensorError", (Exception,), {})("I/O error: (os error 28)"))
    assert is_of_the_machine(Exception("No space left on device (os error 28)"))  # as tokenizers says it
    assert not is_of_the_machine(ValueError("os error 28"))
    assert not is_of_the_machine(FileNotFoundError(errno.ENOENT, "no such file"))


@pytest.mark.parametrize("name", ["EIO", "ESTALE", "EMFILE", "ENFILE", "ENOMEM"])
def test_what_the_machine_cannot_read_is_no_damage(name: str) -> None:
    with pytest.raises(MachineError, match="a/b: cannot be read: ") as caught, reading("a/b"):
        raise OSError(getattr(errno, name), "as the system says it")
    assert "as the system says it" not in caught.value.got
    assert caught.value.fix


def test_what_is_wrong_with_a_file_passes() -> None:
    for error in (FileNotFoundError(errno.ENOENT, "none"), ValueError("no JSON"), MemoryError()):
        with pytest.raises(type(error)), reading("a/b"):
            raise error


def test_a_fault_of_unknown_direction_says_neither_read_nor_written() -> None:
    told = explain_system_error(OSError(errno.EIO, "Input/output error", "a/b"))
    assert (told.where, told.got) == ("a/b", "the disk reports an error (input/output error)")


def test_a_server_that_cannot_fork_and_ends_is_explained() -> None:
    with (
        pytest.raises(MachineError, match="a worker process cannot start: too many processes"),
        beginning("a worker process"),
    ):
        raise EOFError("unexpected EOF")
    with pytest.raises(MachineError, match="too many processes"), beginning("a worker process"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert is_of_the_machine(RuntimeError("can't start new thread"))
    assert is_of_the_machine(MemoryError())


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="a bug"), writing("a"):
        raise ValueError("a bug")
    with (
        pytest.raises(MachineError, match="a worker cannot start: too many processes"),
        beginning("a worker"),
    ):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 2100])
def test_a_name_that_is_too_long_to_be_looked_up_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HeadstartError, match="cannot be looked up: the name is too long") as refused:
        check_lookup(tmp_path / name)
    assert refused.value.where == str(tmp_path / name)


def test_a_folder_that_may_not_be_entered_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: Any) -> os.stat_result:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(HeadstartError, match="a/b: cannot be looked up: permission denied"):
        check_lookup("a/b")


def test_what_is_not_there_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("none", "file", "file/below", "loop", "a\0b"):
        check_lookup(tmp_path / name)
