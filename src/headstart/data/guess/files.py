"""Finds which files of a folder are a study's parts: `train.csv`, or `train.review` and `train.label`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headstart.data.corpus import PARTS, Part
from headstart.data.formats import SUFFIXES, Cells, read_cells

_PART_NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}


@dataclass(frozen=True)
class PartFiles:
    """A study's `data` keys and the files for them; `train` is the one that holds training texts.

    `parts` have files of their own.
    """

    keys: dict[str, Path]
    train: Path
    parts: tuple[Part, ...] = ()


def find_files(path: Path) -> PartFiles:
    """The files of a folder's parts, or `path` alone."""
    files: dict[Part, Path] = {}
    for part in PARTS if path.is_dir() else ():
        matches = [p for p in sorted(path.iterdir()) if p.stem in _PART_NAMES[part] and _is_readable(p)]
        if matches:
            files[part] = matches[0].with_suffix("") if _is_parallel(matches[0]) else matches[0]
    if "train" not in files:
        return PartFiles({"path": path}, path)
    return PartFiles({str(part): file for part, file in files.items()}, files["train"], tuple(files))


def open_rows(file: Path) -> Iterator[Cells]:
    """The rows of a file, folder, or stem of parallel files, whose suffixes are the columns."""
    columns = () if file.exists() else tuple(path.suffix[1:] for path in _list_parallel(file))
    return read_cells(file, columns)


def _is_readable(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or _is_parallel(path)


def _is_parallel(path: Path) -> bool:
    """Whether it is one of two parallel plain files, such as `train.review` and `train.label`."""
    is_plain = path.is_file() and path.suffix.lower() not in SUFFIXES
    return is_plain and len(_list_parallel(path.with_suffix(""))) == 2


def _list_parallel(stem: Path) -> list[Path]:
    return [p for p in sorted(stem.parent.glob(f"{stem.name}.*")) if p.suffix.lower() not in SUFFIXES]
