"""What the system refuses is one sentence with the path, what it means and what to do."""

from __future__ import annotations

import errno

import pytest

from headstart.os_faults import MachineError, beginning, is_of_the_machine, writing

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


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="a bug"), writing("a"):
        raise ValueError("a bug")
    with pytest.raises(MachineError, match="a worker cannot begin: no more processes"), beginning("a worker"):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
