"""Looks at a data file or folder and guesses its study's `data` section: files, columns, task and classes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from headstart.config.traits import TASKS, LabelKind, TaskName
from headstart.data.corpus import PARTS, Part
from headstart.data.formats import SUFFIXES, read_cells
from headstart.errors import DataError

#: Rows that are read before the columns are judged.
_ROWS_READ = 5000
_MOST_CLASSES = 50
_PART_NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}
_LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "y",
    "sentiment",
    "score",
    "stars",
    "rating",
)
_TEXT_NAMES = ("text", "sentence", "review", "content", "body", "comment", "message", "question", "title")
_Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class DataGuess:
    """What a data file seems to hold.

    `files` are a study's `data` keys with the paths as the user gave them; `classes` count each class's rows,
    and are empty for numbers; `rows` were read, whose texts have `median_words` words.
    """

    files: dict[str, Path]
    text: str
    label: str
    task: TaskName
    classes: dict[str, int]
    rows: int
    median_words: float


def guess_data(path: Path, text: str | None = None, label: str | None = None) -> DataGuess:
    """Look at `path`: a file, a folder with train/valid/test files, or one sub-folder for each class.

    Args:
        text: the column of texts, where it is known.
        label: the column of labels, where it is known.

    Raises:
        DataError: nothing readable there, or no column that could be the text or the label.
    """
    files = _find_files(path)
    file = files.get("train") or files["path"]
    rows = _read_rows(file)
    label = label or _guess_label(rows, file)
    text = text or _guess_text(rows, label, file)
    for column in (text, label):
        _check_column(column, rows, file)
    labels = [row.get(label) for row in rows]
    kind, classes = _guess_kind(labels, label, file)
    task = next(name for name, traits in TASKS.items() if traits.labels == kind)
    return DataGuess(files, text, label, task, classes, len(rows), _count_words(rows, text))


def _find_files(path: Path) -> dict[str, Path]:
    """The study's `data` keys and the files for them."""
    if not path.is_dir():
        return {"path": path}
    files: dict[str, Path] = {}
    for part in PARTS:
        matches = [p for p in sorted(path.iterdir()) if p.stem in _PART_NAMES[part] and _is_readable(p)]
        if matches:
            files[part] = matches[0].with_suffix("") if _is_parallel(matches[0]) else matches[0]
    return files if "train" in files else {"path": path}


def _is_readable(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or _is_parallel(path)


def _is_parallel(path: Path) -> bool:
    """Whether it is one of two parallel plain files, such as `train.review` and `train.label`."""
    is_plain = path.is_file() and path.suffix.lower() not in SUFFIXES
    return is_plain and len(_list_parallel(path.with_suffix(""))) == 2


def _list_parallel(stem: Path) -> list[Path]:
    return [p for p in sorted(stem.parent.glob(f"{stem.name}.*")) if p.suffix.lower() not in SUFFIXES]


def _read_rows(file: Path) -> _Rows:
    # Parallel plain files have no header: their suffixes are the columns.
    columns = () if file.exists() else tuple(path.suffix[1:] for path in _list_parallel(file))
    rows = [cells for _, cells in islice(read_cells(file, columns), _ROWS_READ)]
    if not rows:
        raise DataError("no rows", where=str(file), expected="labelled texts")
    return rows


def _check_column(column: str, rows: _Rows, file: Path) -> None:
    if column not in rows[0]:
        known = ", ".join(map(str, rows[0]))
        raise DataError(f"no column {column!r}", where=str(file), expected=f"one of {known}")


def _guess_label(rows: _Rows, file: Path) -> str:
    """The first column with a label's name; else the last one with few different values."""
    for name in rows[0]:
        if str(name).lower() in _LABEL_NAMES:
            return str(name)
    most = min(_MOST_CLASSES, len(rows) // 2)
    candidates = [name for name in rows[0] if 1 < len({str(row.get(name)) for row in rows}) <= most]
    if not candidates:
        raise DataError(
            f"no column looks like a label among {', '.join(map(str, rows[0]))}",
            where=str(file),
            fix="name it: --label COLUMN",
        )
    return str(candidates[-1])


def _guess_text(rows: _Rows, label: str, file: Path) -> str:
    """The first column of texts with a text's name; else the one with the longest."""
    candidates = [
        name
        for name in rows[0]
        if name != label and all(isinstance(row.get(name), str) for row in rows[:100])
    ]
    if not candidates:
        raise DataError(f"no column of texts beside {label!r}", where=str(file), fix="name it: --text COLUMN")
    named = [name for name in candidates if str(name).lower() in _TEXT_NAMES]
    return str((named or sorted(candidates, key=lambda name: -_count_words(rows, name)))[0])


def _count_words(rows: _Rows, column: str) -> float:
    """The median number of words in the column."""
    return statistics.median(len(str(row.get(column)).split()) for row in rows)


def _guess_kind(labels: Sequence[Any], column: str, file: Path) -> tuple[LabelKind, dict[str, int]]:
    """What the labels are, and each class with its rows, most frequent first unless they are sets."""
    if any(isinstance(label, list) for label in labels):
        names = Counter(str(name) for label in labels if isinstance(label, list) for name in label)
        return "label-set", dict(names)
    names = Counter(str(label) for label in labels)
    if len(names) > _MOST_CLASSES and all(_is_number(name) for name in names):
        return "number", {}
    if len(names) > max(_MOST_CLASSES, len(labels) // 2):
        raise DataError(
            f"column {column!r} has {len(names)} values in {len(labels)} rows: too many for classes",
            where=str(file),
            fix="name the label column: --label COLUMN",
        )
    return "class", dict(names.most_common())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
