"""Says in words what a fault of the system means, and what to do: a full disk, a limit, a read-only folder.

Such a fault is nobody's bug: whoever writes does it within `writing`, reads what others rely on within
`reading`, begins processes and threads within `beginning`, and what escapes is an `OutputError`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headstart.errors import HeadstartError, OutputError

_FREE: Final = "free some space there, or use a folder on another disk, then run again"
_FILES: Final = "close other programs, or raise the limit (ulimit -n), then run again"
_COPY: Final = "check the disk, or restore the file from a copy"
_FEWER: Final = "lower workers, or raise the limit"
_NO_FORK: Final = "too many processes (ulimit -u), or too little memory, to fork one"
_MEANINGS: Final = {
    errno.ENOSPC: ("the disk is full, or has no inodes left (df -h, df -i)", _FREE),
    errno.EDQUOT: ("your quota on this disk is used up", _FREE),
    errno.EFBIG: ("the file would exceed the size limit (ulimit -f)", "raise the limit"),
    errno.EROFS: ("the disk is read-only", "name a folder that can be written"),
    errno.EACCES: ("permission denied", "name a folder that you may write, or change its permissions"),
    errno.EPERM: ("permission denied", "name a folder that you may write, or change its permissions"),
    errno.EIO: ("the disk reports an error (input/output error)", "check the disk, or name another folder"),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "choose a shorter one"),
    errno.ENOTDIR: ("part of the path is a file, not a folder", "name another folder"),
    errno.EEXIST: ("it is a file, where a folder is needed", "name another folder"),
    errno.EISDIR: ("it is a folder, where a file is needed", "choose another name, or move the folder"),
    errno.ELOOP: ("links in the path form a loop", "name another folder"),
    errno.ENOENT: ("the folder does not exist, or was removed meanwhile", "create it, then run again"),
    errno.ESTALE: ("the network disk was disconnected (stale handle)", "mount it again, then run again"),
    errno.EMFILE: ("this process has too many files open", _FILES),
    errno.ENFILE: ("this machine has too many files open", _FILES),
    errno.EAGAIN: ("too many processes or threads (ulimit -u)", _FEWER),
    errno.ENOMEM: ("this machine is out of memory", "lower workers, or close other programs"),
}  # fmt: skip
#: Faults that are the machine's, wherever they come from: never a bug of the program.
_OF_THE_MACHINE: Final = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE,
        errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM,
    }
)  # fmt: skip
#: How libraries that are not Python's write the number of an error into their messages.
_NUMBER: Final = re.compile(r"(?:os error |\[?errno )(\d+)", re.IGNORECASE)
#: What is said without a number: by numpy of a file that took too little, and by Python of threads.
_SAYINGS: Final = (
    (re.compile(r"\d+ requested and \d+ written"), errno.ENOSPC),
    (re.compile("can't start new thread"), errno.EAGAIN),
)
#: The errors, by name, with which libraries pass on what the system said: they are not imported for it.
#: tokenizers raises plain `Exception`.
_FOREIGN: Final = frozenset({"SafetensorError", "RuntimeError", "Exception"})


class MachineError(OutputError):
    """The system refused to write or to begin something; `number` is the errno, 0 where none is known."""

    def __init__(
        self, got: str, *, number: int = 0, where: str | None = None, fix: str | None = None
    ) -> None:
        self.number = number
        super().__init__(got, where=where, fix=fix)


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """A block that writes to `path`.

    Raises:
        MachineError: in place of what the system or a library says when it cannot be written.
    """
    try:
        yield
    except HeadstartError:
        raise
    except Exception as error:
        if not is_system_error(error):
            raise
        raise explain_system_error(error, path) from error


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """A block that reads `path`: a fault of the machine says nothing of what the file holds.

    Raises:
        MachineError: in place of such a fault; others pass.
    """
    try:
        yield
    except Exception as error:
        # What asks for too much memory may itself be damaged.
        if not is_of_the_machine(error) or isinstance(error, MemoryError):
            raise
        told = explain_system_error(error)
        fix = _COPY if told.number == errno.EIO else told.fix
        raise MachineError(
            f"cannot be read: {told.got}", number=told.number, where=str(path), fix=fix
        ) from error


@contextmanager
def beginning(what: str) -> Iterator[None]:
    """A block that begins a process, a thread, or another thing that the system may refuse.

    Raises:
        MachineError: it did; or the server that was to fork a process had to end instead.
    """
    try:
        yield
    except (OSError, RuntimeError, EOFError) as error:
        if isinstance(error, EOFError | ConnectionError):
            raise MachineError(f"{what} cannot start: {_NO_FORK}", number=errno.EAGAIN, fix=_FEWER) from error
        if not is_system_error(error):
            raise
        told = explain_system_error(error)
        raise MachineError(
            f"{what} cannot start: {told.got}", number=told.number, where=told.where, fix=told.fix
        ) from error


def check_lookup(path: Path | str) -> None:
    """See that the system can say whether something is at a path that a user gave; nothing may be there.

    Raises:
        HeadstartError: it cannot: a name is too long, or a folder on the way may not be entered.
    """
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # pathlib finds nothing there
            words, fix = _MEANINGS.get(error.errno or 0, (str(error.strerror), None))
            raise HeadstartError(f"cannot be looked up: {words}", where=str(path), fix=fix) from error


def is_system_error(error: BaseException) -> bool:
    """Whether the system said no: to Python, or to a library that passes the number on."""
    return isinstance(error, OSError) or (type(error).__name__ in _FOREIGN and find_number(error) != 0)


def is_of_the_machine(error: BaseException) -> bool:
    """Whether it is a fault of disk or machine that no program can be blamed for, wherever it was met."""
    return isinstance(error, MemoryError) or (
        is_system_error(error) and find_number(error) in _OF_THE_MACHINE
    )


def find_number(error: BaseException) -> int:
    """The errno of an error; 0 where it has none."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number:
        return number
    for saying, meant in _SAYINGS:
        if saying.search(str(error)):
            return meant
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else 0


def explain_system_error(error: BaseException, path: Path | str | None = None) -> MachineError:
    """What the error means, in words.

    Args:
        path: what was being written; else the file that the error names, which may have been read.
    """
    number = find_number(error)
    place = str(path or getattr(error, "filename", None) or "") or None
    name = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
    words, fix = _MEANINGS.get(number, (str(name), None))
    return MachineError(f"cannot be written: {words}" if path else words, number=number, where=place, fix=fix)
