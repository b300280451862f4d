"""Looks at a data file or folder and writes the study file that would use it, with comments."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from headstart.config.traits import TaskName, task_traits
from headstart.data.corpus import PARTS, Part
from headstart.data.formats import SUFFIXES, read_cells
from headstart.errors import DataError

#: Rows looked at before the columns are judged.
_LOOK = 5000
_MOST_CLASSES = 50
_NAMES: dict[Part, tuple[str, ...]] = {
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


@dataclass(frozen=True)
class Guess:
    """What a data file seems to hold. `files` are relative to nothing: as the user gave them."""

    files: dict[str, Path]
    text: str
    label: str
    task: TaskName
    classes: dict[str, int]
    texts: int
    words: float
    pair: str | None = None


def guess(data: Path, text: str | None = None, label: str | None = None) -> Guess:
    """Look at `data`: a file, a folder with train/valid/test files, or one sub-folder for each class.

    Raises:
        DataError: nothing readable there, or no column that could be the text or the label.
    """
    files = _files(data)
    first = files.get("train") or files["path"]
    columns = _plain_columns(first)
    rows = [cells for _, cells in islice(read_cells(first, columns), _LOOK)]
    if not rows:
        raise DataError("no rows", where=str(first), expected="labelled texts")
    label = label or _label_column(rows, first)
    text = text or _text_column(rows, label, first)
    for column in (text, label):
        if column not in rows[0]:
            raise DataError(
                f"no column {column!r}", where=str(first), expected=f"one of {', '.join(map(str, rows[0]))}"
            )
    found = Guess(files, text, label, "classification", {}, len(rows), _words(rows, text))
    return _with_task(found, [row.get(label) for row in rows], first)


def _files(data: Path) -> dict[str, Path]:
    """The study's `data` keys and the files for them."""
    if not data.is_dir():
        return {"path": data}
    found: dict[str, Path] = {}
    for part in PARTS:
        matches = [p for p in sorted(data.iterdir()) if p.stem in _NAMES[part] and _readable(p)]
        if matches:
            found[part] = matches[0].with_suffix("") if _is_plain(matches[0]) else matches[0]
    return found if "train" in found else {"path": data}


def _readable(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in SUFFIXES or _is_plain(path)


def _is_plain(path: Path) -> bool:
    """One of two parallel plain files, `train.review` and `train.label`."""
    return (
        path.is_file() and path.suffix.lower() not in SUFFIXES and len(_siblings(path.with_suffix(""))) == 2
    )


def _siblings(stem: Path) -> list[Path]:
    return [p for p in sorted(stem.parent.glob(f"{stem.name}.*")) if p.suffix.lower() not in SUFFIXES]


def _plain_columns(path: Path) -> tuple[str, ...]:
    """The columns of parallel plain files; none for any other source."""
    return () if path.exists() else tuple(p.suffix[1:] for p in _siblings(path))


def _label_column(rows: Sequence[dict[str, Any]], file: Path) -> str:
    for name in rows[0]:
        if str(name).lower() in _LABEL_NAMES:
            return str(name)
    few = [
        c for c in rows[0] if 1 < len({str(row.get(c)) for row in rows}) <= min(_MOST_CLASSES, len(rows) // 2)
    ]
    if not few:
        raise DataError(
            f"no column looks like a label among {', '.join(map(str, rows[0]))}",
            where=str(file),
            fix="name it: --label COLUMN",
        )
    return str(few[-1])


def _text_column(rows: Sequence[dict[str, Any]], label: str, file: Path) -> str:
    others = [c for c in rows[0] if c != label and all(isinstance(row.get(c), str) for row in rows[:100])]
    if not others:
        raise DataError(f"no column of texts beside {label!r}", where=str(file), fix="name it: --text COLUMN")
    named = [c for c in others if str(c).lower() in _TEXT_NAMES]
    return str((named or sorted(others, key=lambda c: -_words(rows, c)))[0])


def _words(rows: Sequence[dict[str, Any]], column: str) -> float:
    return statistics.median(len(str(row.get(column)).split()) for row in rows)


def _with_task(found: Guess, labels: Sequence[Any], file: Path) -> Guess:
    if any(isinstance(label, list) for label in labels):
        names = Counter(str(name) for label in labels if isinstance(label, list) for name in label)
        return replace(found, task="multi-label", classes=dict(names))
    names = Counter(str(label) for label in labels)
    if len(names) > _MOST_CLASSES and all(_is_number(name) for name in names):
        return replace(found, task="regression")
    if len(names) > max(_MOST_CLASSES, len(labels) // 2):
        raise DataError(
            f"column {found.label!r} has {len(names)} values in {len(labels)} rows: too many for classes",
            where=str(file),
            fix="name the label column: --label COLUMN",
        )
    return replace(found, classes=dict(names.most_common()))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_study(found: Guess, *, model: str, out: str, relative_to: Path) -> str:
    """The commented study file for `found`, with paths relative to the folder it will stand in."""
    metrics = task_traits(found.task).metrics
    lines = [
        "# A Headstart study. Check it with `headstart plan`, train with `headstart run`.",
        f"question: {_quoted(_question(model))}",
        f"task: {found.task:<17} # classification | multi-label | regression",
        "data:",
        *(f"  {key}: {_quoted(_relative(path, relative_to))}" for key, path in found.files.items()),
        *_split_lines(found),
        f"  text: {_quoted(found.text):<19} # {found.texts} rows seen, median {found.words:.0f} words",
        f"  label: {_quoted(found.label):<18} # {_classes(found)}",
        f"model: {_quoted(model):<18} # a folder, a hub id, or asset:minilm",
        "arms:                      # a bag of words is added to these unless you write `words: null`",
        "  pretrained: {init: pretrained}",
        "  random: {init: random}   # the control: the same network without pretraining",
        "control: random",
        "seeds: 3                   # every arm is trained once with each",
        "training:",
        "  batch_size: 16",
        "  epochs: 3                # the best one on valid is tested",
        "  learning_rate: 3e-5",
        f"  max_length: {_max_length(found):<14} # tokens; longer texts are cut",
        f"select: {{metric: {metrics[0]}}} # or {', '.join(metrics[1:])}",
        f"out: {_quoted(out)}",
    ]
    return "\n".join(lines) + "\n"


def _question(model: str) -> str:
    return f"Does pretraining ({Path(model.removeprefix('asset:')).name}) help on my texts?"


def _split_lines(found: Guess) -> list[str]:
    if {"valid", "test"} <= found.files.keys():
        return []
    return ["  split: {valid: 0.1, test: 0.2, seed: 0}  # of the texts, stratified; parts without a file"]


def _classes(found: Guess) -> str:
    if found.task == "regression":
        return "numbers"
    shown = [f"{name} {count}" for name, count in islice(found.classes.items(), 6)]
    more = f", and {len(found.classes) - 6} more" if len(found.classes) > 6 else ""
    return (", ".join(shown) + more).replace("\n", " ")


def _max_length(found: Guess) -> int:
    """Room for texts of about twice the median length, in tokens; never more than small models take."""
    return next((limit for limit in (64, 128) if found.words * 3 < limit), 256)


def _relative(path: Path, base: Path) -> str:
    absolute = path.resolve()
    near = str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)
    return str(absolute) if near.startswith("~") else near  # a study's `~` is the user's home


def _quoted(text: str) -> str:
    """A YAML scalar that is read back as this very text."""
    plain = text.isprintable() and text[:1].isalpha() and not set(text) & set(":#{}[],&*?|<>=!%@`\"'\\")
    reserved = text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    if (plain and not reserved and text == text.strip()) or text.startswith("asset:"):
        return text
    return "'" + text.replace("'", "''") + "'"
