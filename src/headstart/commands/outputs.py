"""Refuses to write over what exists, unless it is told to: one rule and one message for every command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from headstart.errors import OutputError
from headstart.files import replace_folder, write_folder_atomically
from headstart.models.checkpoint_files import ADAPTER_CONFIG
from headstart.os_faults import writing
from headstart.store.model_notes import NOTES_FILE

_FIX: Final = "--force to overwrite, or another name"
#: One of these is in every folder of a model.
_MODEL_FILES: Final = ("config.json", ADAPTER_CONFIG, NOTES_FILE)


def check_output_file(path: Path, *, force: bool, what: str = "") -> None:
    """See that a file may be written at `path`: nothing is there, or `force` is set and it is a file.

    Args:
        what: added to the message, of a file whose content took somebody's time.

    Raises:
        OutputError: it may not.
    """
    is_there = _is_there(path)
    if path.is_dir():
        raise OutputError(
            "cannot be written: it is a folder",
            where=str(path),
            fix="choose another name, or move the folder",
        )
    if is_there and not force:
        raise OutputError(f"already exists{what}", where=str(path), fix=_FIX)


def check_output_folder(path: Path, *, force: bool, sources: tuple[Path, ...] = ()) -> None:
    """See that a model's folder may be written at `path`: with `force` in place of an empty one or a model.

    Whatever else is in a folder has no other copy, perhaps: it is never removed.

    Args:
        sources: folders that are read, which it may neither replace nor be put into.

    Raises:
        OutputError: it may not.
    """
    if any(source.resolve() in path.resolve().parents for source in sources):
        raise OutputError(
            "lies within the model's own folder, which would be changed by it",
            where=str(path),
            fix="choose another folder: -o FOLDER",
        )
    if not _is_there(path):
        return
    if not force:
        raise OutputError("already exists", where=str(path), fix=_FIX)
    if not path.is_dir() or path.is_symlink():
        raise OutputError("exists and is not a folder", where=str(path), fix="choose another name")
    if any(source.resolve().is_relative_to(path.resolve()) for source in sources):
        raise OutputError(
            "is the model's own folder, or contains it",
            where=str(path),
            fix="choose another folder: -o FOLDER",
        )
    if not _is_model_or_empty(path):
        raise OutputError(
            "contains something other than a model, which --force does not overwrite",
            where=str(path),
            expected="an empty or new folder, or a model's",
            fix="choose another folder: -o FOLDER",
        )


@contextmanager
def open_output_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """A folder to fill, which becomes `target`, in place of what is there where that is wanted."""
    if not (force and target.exists()):
        with write_folder_atomically(target) as folder:
            yield folder
        return
    with writing(target), TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        yield folder
        replace_folder(folder, target)


def _is_there(path: Path) -> bool:
    """Whether anything has this name, a link to nothing included.

    Raises:
        OutputError: no file can have it.
    """
    with writing(path):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError, ValueError):  # said where it is written
            return False
    return True


def _is_model_or_empty(folder: Path) -> bool:
    """Whether it holds nothing, or a model and no folders beside its files."""
    entries = list(folder.iterdir())
    is_model = any((folder / name).is_file() for name in _MODEL_FILES)
    return not entries or (is_model and not any(entry.is_dir() for entry in entries))
