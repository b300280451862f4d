"""The user's cache of tokens, features and assets: each entry is named by all that it depends on.

An entry is a folder, whole or not there. Its manifest holds the SHA-256 of each file: what is damaged is
removed and made again. What somebody uses is never removed for room (`cache_use`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from headstart.data.cache_folder import get_cache_folder, use_temporary_cache
from headstart.data.cache_use import hold_entry, list_held, locking
from headstart.errors import DataError
from headstart.files import hash_file, read_file, write_folder_atomically, write_text
from headstart.json_text import parse_json
from headstart.os_faults import MachineError, writing

#: Entries and bytes that stay in a folder of the cache, unless more are in use.
MAX_ENTRIES: Final = 256
MAX_BYTES: Final = 10 << 30
#: A temporary this old was left by a process that was killed: no writer takes as long.
LEFTOVER_SECONDS: Final = 24 * 3600.0
_MANIFEST: Final = "entry.json"
#: How entries are named, with the suffix that earlier versions gave some: nothing else is ever removed.
_NAME: Final = re.compile(r"[0-9a-f]{32}(\.npy)?")
_LEFTOVER: Final = re.compile(r"\.(gone-)?[0-9a-f]{32}(\.npy)?-|\.fetch-|\.[a-z-]+-[0-9a-f]{12}-")
#: What this process has read and found whole: folders, with number, size and time of their files.
_SEEN_WHOLE: set[tuple[object, ...]] = set()
#: Digests of assets by the same of their files.
_CONTENTS: dict[tuple[object, ...], str] = {}


def open_entry(kind: str, name: str, write: Callable[[Path], None], root: Path | None = None) -> Path:
    """The folder of an entry, whole and in use by this process until it ends; made where it is not there.

    Where the cache cannot be written, it is made in a temporary one, which ends with this process.

    Args:
        kind: the folder of the cache: tokens or features.
        name: 32 hexadecimal digits, which depend on all that the content does.
        write: fills a folder.
        root: of the cache, where another process chose it.

    Raises:
        MachineError: it can be written nowhere.
    """
    folder = (root or get_cache_folder()) / kind / name
    try:
        if not _hold_whole(folder):
            make_room(folder.parent)
            _write_entry(folder, write)
        return folder
    except MachineError as fault:
        folder = use_temporary_cache(fault) / kind / name
    if not _hold_whole(folder):
        _write_entry(folder, write)
    return folder


@contextmanager
def reading_entry(folder: Path, work: str) -> Iterator[None]:
    """Within it an entry is read that was found whole before; `work` is what runs, for the message.

    Raises:
        DataError: it was removed meanwhile.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"the cache entry was removed while the {work} ran",
            where=str(folder),
            fix="run again; do not clean the cache while headstart is running",
        ) from error


def open_asset(
    folder: Path,
    write: Callable[[Path], None],
    contents: str | None = None,
    tell_of_change: Callable[[], None] = lambda: None,
) -> Path:
    """The folder of an asset, whole, and with no file that is not its own; made where it is not there.

    Args:
        contents: what `hash_contents` gives of it. Where that is not known, its manifest counts, and one of
            an earlier version, which has none, is taken as it is.
        tell_of_change: is called where the one in the cache is another.

    Raises:
        MachineError: it can be written nowhere.
    """
    try:
        if not _is_asset_whole(folder, contents):
            if folder.exists() or folder.is_symlink():
                tell_of_change()
                with locking(folder.parent):
                    if not _is_asset_whole(folder, contents):  # another process may have made it again
                        _take_away(folder)
            remove_leftovers(folder.parent)
            if not folder.exists():
                _write_entry(folder, write)
        return folder
    except MachineError as fault:
        folder = use_temporary_cache(fault) / folder.parent.name / folder.name
    if not folder.is_dir():
        _write_entry(folder, write)
    return folder


def hash_contents(folder: Path) -> str:
    """SHA-256 of an asset's files and their names, but for the manifest; read once in each process.

    Raises:
        OSError: one is no file, or cannot be read.
    """
    files = _list_files(folder)
    stats = [file.stat() for file in files]
    if not all(stat.S_ISREG(one.st_mode) for one in stats):
        raise OSError(f"something in {folder} is not a file")
    state = (
        folder,
        *((file, one.st_ino, one.st_size, one.st_mtime_ns) for file, one in zip(files, stats, strict=True)),
    )
    if state not in _CONTENTS:
        lines = (f"{file.relative_to(folder).as_posix()} {hash_file(file)}\n" for file in files)
        _CONTENTS[state] = hashlib.sha256("".join(lines).encode()).hexdigest()
    return _CONTENTS[state]


def _list_files(folder: Path) -> list[Path]:
    """All that is in an entry beside its manifest and folders; links too."""
    entries = (file for file in folder.rglob("*") if file.is_symlink() or not file.is_dir())
    return sorted(file for file in entries if file != folder / _MANIFEST)


def _is_asset_whole(folder: Path, contents: str | None) -> bool:
    try:
        if not folder.is_dir() or folder.is_symlink():
            return False
        if contents is not None:
            return hash_contents(folder) == contents
        if not (folder / _MANIFEST).exists():
            return True
        names = [file.relative_to(folder).as_posix() for file in _list_files(folder)]
        return is_whole(folder) and names == sorted(_read_manifest(folder))
    except (OSError, ValueError):
        return False


def _hold_whole(folder: Path) -> bool:
    """Mark the entry as used and see that it is whole; a damaged one is removed."""
    hold_entry(folder)
    if not _is_whole_or_gone(folder):
        return False
    with suppress(OSError):  # a cache that can be read alone still serves
        os.utime(folder)
    return True


def _is_whole_or_gone(folder: Path) -> bool:
    """Whether the entry is whole; one that is damaged is removed."""
    if not folder.exists() and not folder.is_symlink():
        return False
    if not is_whole(folder):
        with locking(folder.parent):
            if not is_whole(folder):  # another process may have made it again
                _take_away(folder)
    return is_whole(folder)


def _write_entry(folder: Path, write: Callable[[Path], None]) -> None:
    # The name is all that the content depends on: another process that was faster wrote the same.
    with write_folder_atomically(folder, keep_existing=True) as temporary:
        write(temporary)
        files = {
            file.relative_to(temporary).as_posix(): hash_file(file)
            for file in sorted(temporary.rglob("*"))
            if file.is_file()
        }
        write_text(temporary / _MANIFEST, json.dumps(files, indent=1) + "\n")


def restore_entry(folder: Path, write: Callable[[Path], None]) -> None:
    """Write an entry again that somebody removed, and that this process still has in memory.

    Raises:
        MachineError: it cannot be written.
    """
    if not _has_files(folder):
        hold_entry(folder)
        with locking(folder.parent):
            _take_away(folder)
        _write_entry(folder, write)


def is_whole(folder: Path) -> bool:
    """Whether the entry has all that its manifest lists, to the last bit; read once in each process."""
    try:
        files = _read_manifest(folder)
        stats = [(folder / name).stat() for name in files]
        if not all(stat.S_ISREG(one.st_mode) for one in stats):  # a device or a pipe has no end
            return False
        state = (folder, *((one.st_ino, one.st_size, one.st_mtime_ns) for one in stats))
        if state not in _SEEN_WHOLE and [hash_file(folder / name) for name in files] == [*files.values()]:
            _SEEN_WHOLE.add(state)
        return state in _SEEN_WHOLE
    except (OSError, ValueError):  # no manifest, or none of ours
        return False


def _has_files(folder: Path) -> bool:
    try:
        return all((folder / name).is_file() for name in _read_manifest(folder))
    except (OSError, ValueError):
        return False


def _read_manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file.

    Raises:
        OSError, ValueError: it is not there, or no manifest.
    """
    files = parse_json(read_file(folder / _MANIFEST))
    if not isinstance(files, dict) or not files or not all(isinstance(one, str) for one in files.values()):
        raise ValueError("no manifest")
    if not all(_lies_below(name) for name in files):
        raise ValueError("it lists files of other folders")
    return files


def _lies_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def make_room(folder: Path) -> None:
    """Keep a folder of the cache small: the entries used longest ago that nobody uses go, and what killed
    writers left.

    Raises:
        MachineError: the folder cannot be written.
    """
    with locking(folder) as is_exclusive:
        remove_leftovers(folder)
        held = list_held(folder)
        entries = sorted(_measure_entries(folder))  # by the time of their last use
        count, size = len(entries), sum(size for _, size, _ in entries)
        for used, its_size, entry in entries:
            if count < MAX_ENTRIES and size <= MAX_BYTES:
                return
            # Where processes cannot tell each other what they use, what was used in the last day stays.
            is_free = entry.name not in held and (is_exclusive or time.time() - used > LEFTOVER_SECONDS)
            if is_free:
                with suppress(MachineError):  # somebody else's: it stays
                    _take_away(entry)
                    count, size = count - 1, size - its_size


def _measure_entries(folder: Path) -> list[tuple[float, int, Path]]:
    """When each entry was used last, its bytes, and where it is."""
    measured = []
    for entry in folder.iterdir():
        if _NAME.fullmatch(entry.name):
            with suppress(OSError):  # somebody removes it in this very moment
                files = list(entry.iterdir()) if entry.is_dir() else [entry]
                measured.append((entry.stat().st_mtime, sum(f.stat().st_size for f in files), entry))
    return measured


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left in a folder of the cache; not what others write just now."""
    for entry in folder.glob(".*"):
        with suppress(OSError):  # its writer may end in this very moment
            if _LEFTOVER.match(entry.name) and time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
                _remove(entry)


def _take_away(entry: Path) -> None:
    """Remove an entry at once: nobody finds half of it.

    Raises:
        MachineError: it is there and cannot be removed.
    """
    gone = entry.with_name(f".gone-{entry.name}-{os.getpid()}")
    with writing(entry), suppress(FileNotFoundError):
        entry.rename(gone)
        _remove(gone)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
