"""Finds the data files of a folder's parts, or of a pattern; passes over what systems leave beside them."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from headstart.data.corpus import PARTS, Part
from headstart.errors import DataError

#: What files of each part are called.
PART_NAMES: Final[dict[Part, tuple[str, ...]]] = {
    "train": ("train", "training"),
    "valid": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
#: What may stand behind such a name: `-00000-of-00002`, `_1`, `.0`.
_NUMBERED: Final = re.compile(r"(?P<name>[a-z]+)(?:[-_.]\d[\w.-]*)?", re.IGNORECASE)
_LITTER: Final = ("__MACOSX", "Thumbs.db", "desktop.ini")


def is_litter(path: Path) -> bool:
    """Whether systems left it: hidden files, the `._` ones of Macs among them, folders of Mac archives."""
    return path.name.startswith(".") or path.name in _LITTER


def list_entries(folder: Path) -> list[Path]:
    """What is in a folder, by name, without what systems leave there.

    Raises:
        DataError: it cannot be listed.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_litter(path))
    except OSError as error:
        raise DataError(
            f"cannot be listed: {error.strerror}", where=str(folder), expected="a folder that can be read"
        ) from error


def find_parts(folder: Path, suffixes: Iterable[str]) -> dict[Part, tuple[Path, ...]]:
    """The files, or the one folder, of each part in a folder such as a data set of the hub; else nothing.

    Parts are called `train`, `train-00000-of-00002` and so on, and stand in the folder or in its `data`.
    A sub-folder is a part's where it holds folders or data files itself. Without training examples nothing is
    found.

    Raises:
        DataError: a part has files of several formats or names.
    """
    known = frozenset(suffixes)
    for base in (folder, folder / "data"):
        if not base.is_dir() or _has_classes(base):
            continue
        parts = {part: _list_part(base, part, known) for part in PARTS}
        if parts.get("train"):
            return {part: files for part, files in parts.items() if files}
    return {}


def _has_classes(folder: Path) -> bool:
    """Whether sub-folders of texts are there that no part is called after: then it is a folder of classes."""
    folders = [path for path in list_entries(folder) if path.is_dir() and path.name != "data"]
    return any(name_part(path) is None and any(path.glob("*.txt")) for path in folders)


def _list_part(folder: Path, part: Part, suffixes: frozenset[str]) -> tuple[Path, ...]:
    files = [path for path in list_entries(folder) if name_part(path) == part and _is_data(path, suffixes)]
    kinds = {(_get_name(path), path.suffix.lower() if path.is_file() else "/") for path in files}
    if len(kinds) > 1:
        raise DataError(
            f"{files[0].name} and {files[-1].name} both belong to part {part}",
            where=str(folder),
            expected="one name and one format",
            fix="name the files in the study: data: {train: FILE, valid: FILE, test: FILE}",
        )
    return tuple(files)


def _get_name(path: Path) -> str:
    """`train` of `train-00000-of-00002.parquet`, in small letters; empty where there is no such name."""
    found = _NUMBERED.fullmatch(path.stem if path.suffix else path.name)
    return found["name"].lower() if found else ""


def name_part(path: Path) -> Part | None:
    """The part that a file or folder is called after, if any."""
    name = _get_name(path)
    return next((part for part, names in PART_NAMES.items() if name in names), None)


def _is_data(path: Path, suffixes: frozenset[str]) -> bool:
    if not path.is_dir():  # a link that leads nowhere is neither
        return path.is_file() and path.suffix.lower() in suffixes
    # A folder of texts alone is a class that has such a name.
    return any(entry.is_dir() or entry.suffix.lower() in suffixes for entry in list_entries(path))


def is_pattern(path: Path) -> bool:
    """Whether it names several files, such as `data/train-*.parquet`, and is none itself."""
    return glob.has_magic(str(path)) and not path.exists()


def list_matches(pattern: Path) -> list[Path]:
    """The files of a pattern, by name.

    Raises:
        DataError: there are none.
    """
    base = next(folder for folder in pattern.parents if folder.is_dir())
    matches = sorted(base.glob(str(pattern.relative_to(base))))
    files = [path for path in matches if path.is_file() and not _is_below_litter(path.relative_to(base))]
    if not files:
        raise DataError("no file matches this pattern", where=str(pattern), expected="at least one file")
    return files


def _is_below_litter(path: Path) -> bool:
    return any(map(is_litter, (path, *path.parents[:-1])))


def list_data_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The data files of a folder that holds no classes, by name.

    Raises:
        DataError: they are of several formats, or of several parts by their names.
    """
    known = frozenset(suffixes)
    files = [path for path in list_entries(folder) if path.is_file() and path.suffix.lower() in known]
    _check_mixture(files, folder)
    if len({file.suffix.lower() for file in files}) > 1:
        raise DataError(
            f"files of several formats: {files[0].name}, {files[-1].name}",
            where=str(folder),
            expected="one format",
            fix="name the files: FOLDER/*.csv",
        )
    return files


def _check_mixture(files: Iterable[Path], folder: Path) -> None:
    """Refuse files such as `reviews_train.csv` beside `reviews_test.csv`, which would be read as one."""
    first = {_find_part_within(file): file for file in reversed([*files])}
    if len(first) > 1 and first.keys() & {"valid", "test"}:
        names = ", ".join(sorted(file.name for file in first.values()))
        raise DataError(
            f"files that are named after several parts: {names}",
            where=str(folder),
            expected="files of one part, read one after another; or train, valid and test",
            fix="name them train, valid, test; or name them in a study: data: {train: FILE, test: FILE}",
        )


def _find_part_within(file: Path) -> Part | None:
    """The part that stands somewhere in a file's name, if any."""
    words = re.split(r"[^a-z]+", file.stem.lower())
    return next((part for part, names in PART_NAMES.items() if set(names) & set(words)), None)
