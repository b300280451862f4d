"""The formats of items that are known, and which of them a file has; a new one is a line here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headstart.analysis.item_files.base import ItemReader
from headstart.analysis.item_files.inspect_logs import INSPECT
from headstart.analysis.item_files.lighteval import LIGHTEVAL
from headstart.analysis.item_files.lm_eval import LM_EVAL
from headstart.analysis.item_files.table import TABLE
from headstart.data.lines import require_file

#: Tried in this order: those that ask for most first.
READERS: Final[tuple[ItemReader, ...]] = (INSPECT, LM_EVAL, LIGHTEVAL, TABLE)


def find_reader(file: Path) -> ItemReader | None:
    """The reader of a file's format; None where it holds no items."""
    return next((reader for reader in READERS if reader.recognises(file)), None)


def find_item_files(path: Path) -> Iterator[tuple[Path, ItemReader]]:
    """The file, or all files in and below the folder, that hold items; hidden ones are passed over.

    Raises:
        DataError: `path` is neither.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    else:
        require_file(path)
        files = [path]
    for file in files:
        is_hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if not is_hidden and (reader := find_reader(file)) is not None:
            yield file, reader


def describe_formats() -> str:
    """All of them, in words."""
    return "; ".join(reader.description for reader in READERS)
