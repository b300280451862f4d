"""Finds the files of a folder's parts, and what separates the cells of a CSV file; reads their rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from headstart.data.corpus import PARTS, Part
from headstart.data.delimited import split_line
from headstart.data.fairseq.folder import FIRST, is_binarised_folder, list_parts
from headstart.data.folders import PART_NAMES, find_parts, list_entries, name_part
from headstart.data.formats import SUFFIXES, Cells, read_cells, read_files
from headstart.data.lines import read_table_lines
from headstart.data.quotations import SEPARATORS
from headstart.os_faults import check_lookup


@dataclass(frozen=True)
class PartFiles:
    """Where a study's texts lie.

    Attributes:
        keys: a study's `data` keys, and the files or folders for them.
        train: the files of training examples; a folder, or the stem of parallel files, stands for itself.
        parts: those that have files of their own.
        separator: between the cells of a CSV file.
    """

    keys: dict[str, Path]
    train: tuple[Path, ...]
    parts: tuple[Part, ...] = ()
    separator: str = ","

    def open_rows(self) -> Iterator[Cells]:
        """The rows of the training examples."""
        (first, *more) = self.train
        if more:
            return read_files(self.train, self.separator)
        # Parallel plain files have no header: their suffixes are the columns.
        columns = () if first.exists() else tuple(path.suffix[1:] for path in _list_parallel(first))
        return read_cells(first, columns, self.separator)


def find_files(path: Path) -> PartFiles:
    """The files of a folder's parts, or `path` alone.

    Raises:
        DataError: a part has files of several formats, or its head is no text.
    """
    check_lookup(path)
    if is_binarised_folder(path):
        return PartFiles({"fairseq": path}, (path / FIRST / "train.idx",), list_parts(path))
    parts = _find_parts(path) if path.is_dir() else {}
    if not parts:
        return PartFiles({"path": path}, (path,), separator=_find_separator(path))
    files = {str(part): of_part[0] for part, of_part in parts.items()}
    # Of parts in several files a study names the folder.
    keys = files if all(len(of_part) == 1 for of_part in parts.values()) else {"path": path}
    return PartFiles(keys, parts["train"], tuple(parts), _find_separator(parts["train"][0]))


def mention_siblings(found: PartFiles) -> list[str]:
    """What lies beside a file of training examples, named like files of the other parts, and is not read."""
    train = found.train[0]
    if found.parts or not train.is_file() or name_part(train) != "train":
        return []
    beside = [path for path in list_entries(train.parent) if path.suffix.lower() == train.suffix.lower()]
    others = [path.name for path in beside if name_part(path) in ("valid", "test")]
    if not others:
        return []
    return [
        f"{', '.join(others)} in the same folder: `headstart init {shlex.quote(str(train.parent))}` "
        "uses all parts"
    ]


def _find_parts(folder: Path) -> dict[Part, tuple[Path, ...]]:
    found = find_parts(folder, SUFFIXES)
    if found:
        return {part: found[part] for part in PARTS if part in found}
    parallel = {part: stem for part in PARTS if (stem := _find_parallel(folder, part)) is not None}
    return {part: (stem,) for part, stem in parallel.items()} if "train" in parallel else {}


def _find_parallel(folder: Path, part: Part) -> Path | None:
    """The stem of two parallel plain files, such as `train.review` and `train.label`."""
    stems = (folder / name for name in PART_NAMES[part])
    return next((stem for stem in stems if len(_list_parallel(stem)) == 2), None)


def _list_parallel(stem: Path) -> list[Path]:
    files = sorted(stem.parent.glob(f"{stem.name}.*"))
    return [path for path in files if path.is_file() and path.suffix.lower() not in SUFFIXES]


def _find_separator(file: Path) -> str:
    """What divides the first line of a CSV file where commas do not."""
    if file.suffix.lower() != ".csv" or not file.is_file():
        return ","
    header = next(islice(read_table_lines(file), 1), "")
    counts = {mark: len(split_line(header, mark)) for mark in (",", *SEPARATORS)}
    return "," if counts[","] > 1 else max(counts, key=lambda mark: counts[mark])
