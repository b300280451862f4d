"""Writes files and folders whole or not at all: a temporary neighbour, synced to the disk, then renamed.

A process that is killed leaves such a neighbour behind: its name begins with a dot and the target's name, so
that readers pass over it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

#: What others may do with files and folders written here, whatever the umask: read them.
FILE_MODE: Final = 0o644
FOLDER_MODE: Final = 0o755


@contextmanager
def write_file_atomically(path: Path) -> Iterator[Path]:
    """A temporary file to write to; it becomes `path` when the block ends well, else it is removed.

    Parent folders are created. A file that is already at `path` stays as it is until the new one is on disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_make_prefix(path))
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(FILE_MODE)
        _sync_file(temporary)
        temporary.replace(path)
        _sync_folder_entry(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with write_file_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def write_folder_atomically(path: Path, *, keep_existing: bool = False) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `path` when the block ends well, else it is removed.

    Args:
        keep_existing: where another process has made `path` meanwhile, that one stays and this one is
            removed; for folders that are named by their content.

    Raises:
        FileExistsError: `path` is there already, and `keep_existing` is not set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_make_prefix(path)))
    try:
        yield temporary
        temporary.chmod(FOLDER_MODE)
        _sync_tree(temporary)
        _move_folder(temporary, path, keep_existing)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, target: Path) -> None:
    """Move folder `new`, once it is on disk, to `target`; the one there stays until then, and then goes.

    No system renames over a folder with content, so there is a moment without `target`. A process that is
    killed in it leaves both whole: `new` where it was, and the former one beside `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sync_tree(new)
    former = target.with_name(f".old-{target.name}")
    shutil.rmtree(former, ignore_errors=True)
    if target.exists():
        target.rename(former)
    new.rename(target)
    _sync_folder_entry(target.parent)
    _sync_folder_entry(new.parent)
    shutil.rmtree(former, ignore_errors=True)


def set_modes(folder: Path) -> None:
    """Let others read the files below `folder`, as all that is written here, whoever made them."""
    for parent, _, names in os.walk(folder):
        for name in names:
            Path(parent, name).chmod(FILE_MODE)


def is_leftover(entry: Path, path: Path) -> bool:
    """Whether `entry` is what a process left that was killed while it wrote `path`."""
    return entry.parent == path.parent and entry.name.startswith(_make_prefix(path))


def _make_prefix(path: Path) -> str:
    """How the names of the temporary neighbours of `path` begin."""
    return f".{path.name}-"


def _move_folder(temporary: Path, path: Path, keep_existing: bool) -> None:
    # `rename` alone would replace an empty folder without a word.
    if not path.exists():
        try:
            temporary.rename(path)
        except OSError:
            if not path.exists():
                raise
        else:
            _sync_folder_entry(path.parent)
            return
    if not keep_existing:
        raise FileExistsError(f"{path} is there already")


def _sync_tree(folder: Path) -> None:
    """Have the files below `folder`, and the folders that name them, on the disk and readable."""
    set_modes(folder)
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync_file(Path(parent, name))
        _sync_folder_entry(Path(parent))


def _sync_file(file: Path) -> None:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def _sync_folder_entry(folder: Path) -> None:
    """Have the names in `folder` on the disk: without it a file may be there after a power cut, nameless."""
    # Windows cannot open a folder, and some network file systems cannot sync one: then it is left to them.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
