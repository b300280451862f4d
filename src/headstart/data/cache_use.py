"""Tells processes which entries of the cache others use, so that none removes what another reads.

Each process has a file in `.in-use/`, locked for as long as it lives, with the name of an entry on each line.
The system takes the lock off when a process ends, however it ends: what a dead one wrote counts no more.
Names are written, and entries removed, under one lock of the folder.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from headstart.os_faults import writing

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]

_MARKS: Final = ".in-use"
_LOCK: Final = ".lock"
#: This process's open files of marks by folder, and what it has written there. A fork shares them.
_HELD: dict[Path, tuple[Any, set[str]]] = {}


def hold_entry(entry: Path) -> None:
    """Say that this process uses `entry` from now on, whether it is there yet or not.

    In a cache that this process may not write nothing is said; it removes nothing there either.

    Raises:
        MachineError: the folder of the entry cannot be made.
    """
    folder = entry.parent
    if folder.is_dir() and not os.access(folder, os.W_OK):
        return
    with locking(folder), writing(folder):
        if folder in _HELD and not _is_there(folder):
            _HELD.pop(folder)[0].close()
        if folder not in _HELD:
            _HELD[folder] = _open_marks(folder), set()
        file, names = _HELD[folder]
        if entry.name not in names:
            file.write(f"{entry.name}\n")
            file.flush()
            names.add(entry.name)


def list_held(folder: Path) -> frozenset[str]:
    """The names of the entries of `folder` that living processes use; under the lock of the folder.

    None where the system has no locks, and nobody can tell who lives.
    """
    if _fcntl is None:
        return frozenset()
    held: set[str] = set()
    for marks in (folder / _MARKS).glob("*"):
        with suppress(OSError):
            held.update(_read_marks(marks))
    return frozenset(held)


def release_entries() -> None:
    """Say that this process uses nothing of the cache any more."""
    while _HELD:
        _, (file, _names) = _HELD.popitem()
        if Path(file.name).name.startswith(f"{os.getpid()}-"):  # a fork shares its parent's
            with suppress(OSError):
                Path(file.name).unlink()
        file.close()


atexit.register(release_entries)


@contextmanager
def locking(folder: Path) -> Iterator[bool]:
    """A block that no other process is in for this folder, which is made; false where that cannot be known.

    Raises:
        MachineError: the folder cannot be made or written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("a")
    with lock:
        yield _lock(lock)


def _is_there(folder: Path) -> bool:
    """Whether this process's file of marks is still the one in the folder: somebody may have cleaned it."""
    file = _HELD[folder][0]
    try:
        return os.path.samestat(os.fstat(file.fileno()), Path(file.name).stat())
    except OSError:
        return False


def _open_marks(folder: Path) -> Any:
    (folder / _MARKS).mkdir(exist_ok=True)
    file = (folder / _MARKS / f"{os.getpid()}-{os.urandom(4).hex()}").open("a", encoding="ascii")
    _lock(file)
    return file


def _read_marks(marks: Path) -> list[str]:
    """The names in a file of marks; that of a process that has ended is removed."""
    with marks.open("r+", encoding="ascii", errors="replace") as file:
        is_ours = any(Path(held.name) == marks for held, _ in _HELD.values())
        if not is_ours and _lock(file, wait=False):
            marks.unlink(missing_ok=True)
            return []
        return file.read().split()


def _lock(file: Any, *, wait: bool = True) -> bool:
    """Whether the file is locked for this process alone now; no where another has it, or none can be."""
    if _fcntl is None:
        return False
    try:
        _fcntl.flock(file, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))
    except OSError:  # taken, or a network file system without locks
        return False
    return True
