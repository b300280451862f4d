"""Writes files and folders whole or not at all: a temporary neighbour, synced to the disk, then renamed.

A process that is killed leaves such a neighbour behind: its name begins with a dot and the target's name, so
that readers pass over it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headstart.os_faults import MachineError, writing

#: What others may do with files and folders written here, whatever the umask: read them.
FILE_MODE: Final = 0o644
FOLDER_MODE: Final = 0o755
#: How the names of folders begin that another is about to replace.
_FORMER: Final = ".old-"
#: The name of a temporary neighbour, as `tempfile` draws it, with that of what was to be written.
_TEMPORARY: Final = re.compile(r"\.(.+)-[a-z0-9_]{8}")
_NOTHING: Final = re.compile("(?!)")
#: With which a sync says that something is not on the disk; with others only that it cannot sync this.
_NOT_WRITTEN: Final = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE})


@contextmanager
def write_file_atomically(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """A temporary file to write to; it becomes `path` when the block ends well, else it is removed.

    Parent folders are created. A file that is already at `path` stays as it is until the new one is on disk;
    what need not outlive a power cut is not waited for: not `synced`.

    Raises:
        MachineError: it cannot be written, whichever step of it the system refused.
    """
    with writing(path):
        temporary = _make_temporary_file(path)
        try:
            yield temporary
            temporary.chmod(FILE_MODE)
            if synced:
                _sync_file(temporary)
            temporary.replace(path)
            if synced:
                _sync_folder_entry(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _make_temporary_file(path: Path) -> Path:
    """An empty neighbour of `path`; another process may remove the folder, while it is empty, before that."""
    for is_last in (False, False, True):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_make_prefix(path))
        except FileNotFoundError:
            if is_last:
                raise
        else:
            os.close(descriptor)
            return Path(name)
    raise AssertionError


def read_file(path: Path) -> bytes:
    """The content of a file; a pipe or a device, whose content may have no end, is none.

    Raises:
        OSError: it is not there, is no file, or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.read_bytes()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str, *, synced: bool = True) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; `synced` as in `write_file_atomically`."""
    with write_file_atomically(path, synced=synced) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def write_folder_atomically(path: Path, *, keep_existing: bool = False) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `path` when the block ends well, else it is removed.

    Args:
        keep_existing: where another process has made `path` meanwhile, that one stays and this one is
            removed; for folders that are named by their content.

    Raises:
        FileExistsError: `path` already exists, and `keep_existing` is not set.
        MachineError: it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_make_prefix(path)))
    try:
        with writing(path):
            yield temporary
            temporary.chmod(FOLDER_MODE)
            _sync_tree(temporary)
            is_moved = _move_folder(temporary, path)
    except MachineError as error:  # of a file in it, which is gone when that is read
        if error.where is not None and Path(error.where).is_relative_to(temporary):
            error.where = str(path / Path(error.where).relative_to(temporary))
        raise
    else:
        if not is_moved and not keep_existing:
            raise FileExistsError(f"{path} already exists")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, target: Path) -> None:
    """Move folder `new`, once it is on disk, to `target`; the one there stays until then, and then goes.

    No system renames over a folder with content, so there is a moment without `target`. A process that is
    killed in it leaves both whole: `new` where it was, and the former one beside `target`, from where
    `recover_folder` takes it.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync_tree(new)
        recover_folder(target)
        former = _name_former(target)
        if target.exists():
            target.rename(former)
        try:
            new.rename(target)
        except OSError:
            recover_folder(target)
            raise
        _sync_folder_entry(target.parent)
        _sync_folder_entry(new.parent)
        shutil.rmtree(former, ignore_errors=True)


def find_file_fault(path: Path) -> str | None:
    """Why `path` cannot be read as a file, in a few words; None where it can, or where nothing is there.

    To be asked before anything of a user's is opened: opening a pipe waits for who writes into it, and a
    device such as /dev/zero never ends.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a dangling link" if path.is_symlink() else None
    except ValueError:  # a NUL in it, or half a character
        return "an invalid file name"
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
        return "a link that points back to itself" if is_loop else f"not readable: {error.strerror}"
    if stat.S_ISREG(mode):
        return None if os.access(path, os.R_OK) else "not readable: this user has no permission"
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(mode), 'a device')}, not a file"


def recover_folder(target: Path) -> None:
    """Put back the former `target` of a `replace_folder` that was killed, or remove it beside a new one."""
    former = _name_former(target)
    if target.exists():
        shutil.rmtree(former, ignore_errors=True)
    elif former.is_dir():
        former.rename(target)
        _sync_folder_entry(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder: whoever is killed in it leaves the whole folder, or a temporary neighbour."""
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_make_prefix(folder)))
    try:
        folder.rename(scratch / folder.name)
    finally:
        shutil.rmtree(scratch)


def _name_former(target: Path) -> Path:
    return target.with_name(f"{_FORMER}{target.name}")


def set_modes(folder: Path) -> None:
    """Let others read the files below `folder`, as all that is written here, whoever made them."""
    for parent, _, names in os.walk(folder):
        for name in names:
            Path(parent, name).chmod(FILE_MODE)


def is_leftover(entry: Path, path: Path) -> bool:
    """Whether `entry` is what a process left that was killed while it wrote `path`."""
    return entry.parent == path.parent and entry.name.startswith(_make_prefix(path))


def sweep_leftovers(
    folder: Path, names: Iterable[str] = (), *, matching: re.Pattern[str] = _NOTHING, replaced: bool = False
) -> None:
    """Remove what killed processes left in `folder` of writing the entries called `names`; nothing else.

    Neither `folder` nor what is in it is followed where it is a link.

    Args:
        matching: also entries whose whole names match.
        replaced: also take back what `replace_folder` left.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    known = frozenset(names)
    for entry in list(os.scandir(folder)):
        path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
        target = _TEMPORARY.fullmatch(entry.name)
        if replaced and is_folder and entry.name.startswith(_FORMER):
            recover_folder(path.with_name(entry.name.removeprefix(_FORMER)))
        elif target is None or not (target[1] in known or matching.fullmatch(target[1])):
            continue
        elif is_folder:
            shutil.rmtree(path, ignore_errors=True)
        elif entry.is_file(follow_symlinks=False):
            path.unlink(missing_ok=True)


def _make_prefix(path: Path) -> str:
    """How the names of the temporary neighbours of `path` begin."""
    return f".{path.name}-"


def _move_folder(temporary: Path, path: Path) -> bool:
    """Whether it could be moved: something may be at `path` already."""
    # `rename` alone would replace an empty folder without a word.
    if path.exists():
        return False
    try:
        temporary.rename(path)
    except OSError:
        if not path.exists():
            raise
        return False
    _sync_folder_entry(path.parent)
    return True


def _sync_tree(folder: Path) -> None:
    """Have the files below `folder`, and the folders that name them, on the disk and readable."""
    set_modes(folder)
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync_file(Path(parent, name))
        _sync_folder_entry(Path(parent))


def _sync_file(file: Path) -> None:
    with file.open("rb+") as stream:
        _sync(stream.fileno())


def _sync_folder_entry(folder: Path) -> None:
    """Have the names in `folder` on the disk: without it a file may be there after a power cut, nameless."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open a folder: then it is left to the system
        return
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    """Have what it names on the disk, as far as the file system can: some network ones cannot sync."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _NOT_WRITTEN:
            raise
