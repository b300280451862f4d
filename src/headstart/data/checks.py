"""Turns rows into examples a model can learn from; refuses what cannot be learnt, warns of the rest."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from headstart.config.study import Study
from headstart.config.traits import TaskName
from headstart.data.corpus import PARTS, Corpus, Examples, Part, Row, Text
from headstart.data.sources import load_rows
from headstart.data.splits import fill_parts
from headstart.errors import DataError
from headstart.records import StudyWarning

#: A class this many times rarer than the commonest one is worth a warning.
IMBALANCE = 10
#: Labels of a regression are kept in float32.
LARGEST = float(np.finfo(np.float32).max)


def load_corpus(study: Study) -> Corpus:
    """Read, split and check the study's data.

    Raises:
        DataError: anything that makes the study meaningless: empty text, a missing column, a label that
            training never shows, a single class, a number that is none.
    """
    rows = fill_parts(
        load_rows(study.data, study.task), study.data.split, stratify=study.task == "classification"
    )
    for part in PARTS:
        if not rows[part]:
            raise DataError("no rows", where=f"data, part {part}", expected="at least one")
    names = _label_names(rows, study)
    parts = {part: _examples(rows[part], names, study) for part in PARTS}
    _check_learnable(parts["train"], names, study)
    notices = (*_duplicates(rows), *_leaks(rows, study), *_imbalance(parts["train"], names, study.task))
    return Corpus(study.task, parts, names, notices)


def _examples(rows: Sequence[Row], names: tuple[str, ...], study: Study) -> Examples:
    index = {name: i for i, name in enumerate(names)}
    texts, ids = [row.text for row in rows], [row.id for row in rows]
    if study.task == "instruction":
        return Examples(texts, np.zeros(len(rows), np.int64), ids)
    if study.task == "regression":
        return Examples(texts, np.array([_number(row) for row in rows], np.float32), ids)
    if study.task == "classification":
        return Examples(texts, np.array([index[_name(row)] for row in rows], np.int64), ids)
    labels = np.zeros((len(rows), len(names)), np.float32)
    for i, row in enumerate(rows):
        labels[i, [index[name] for name in _names(row, study.data.label_separator)]] = 1
    return Examples(texts, labels, ids)


def _label_names(rows: dict[Part, list[Row]], study: Study) -> tuple[str, ...]:
    """The classes of the training rows, in order; a class met elsewhere only is an error."""
    if study.task in ("regression", "instruction"):
        return ()
    known = {name for row in rows["train"] for name in _all_names(row, study)}
    for part in ("valid", "test"):
        for row in rows[part]:
            for name in _all_names(row, study):
                if name not in known:
                    raise DataError(
                        f"label {name!r} is in no training text",
                        where=row.where,
                        expected=f"one of {', '.join(sorted(known)[:20])}",
                    )
    return study.data.label if isinstance(study.data.label, tuple) else tuple(sorted(known, key=_natural))


def _all_names(row: Row, study: Study) -> list[str]:
    return [_name(row)] if study.task == "classification" else _names(row, study.data.label_separator)


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers by value, before words by letter: '2' stands before '10'."""
    try:
        value = float(name)
    except ValueError:
        value = math.nan
    # A class called "nan" is a word: as a number it would stand anywhere, since nan is not below anything.
    return (1, 0.0, name) if math.isnan(value) else (0, value, name)


def _is_nothing(value: object) -> bool:
    return value is None or value != value or not str(value).strip()


def _name(row: Row) -> str:
    if _is_nothing(row.label):
        raise DataError("no label (empty, null or NaN)", where=row.where, expected="a label")
    if isinstance(row.label, list | dict):
        raise DataError(
            f"label {row.label!r} holds several",
            where=row.where,
            expected="one label a text",
            fix="set task: multi-label",
        )
    return _written(row.label)


def _written(value: object) -> str:
    # A column of class indices that pandas once wrote with gaps comes back as 0.0, 1.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _listed(value: object, row: Row) -> str:
    if _is_nothing(value):
        raise DataError(
            f"{value!r} in a list of labels", where=row.where, expected="names; an empty list for none"
        )
    return _written(value)


def _names(row: Row, separator: str) -> list[str]:
    """The labels of one multi-label row: a list, 0/1 columns, or one cell with separators."""
    if isinstance(row.label, dict):
        return [column for column, value in row.label.items() if _flag(value, column, row)]
    if isinstance(row.label, list):
        return [_listed(name, row) for name in row.label]
    if row.label is None or (isinstance(row.label, float) and math.isnan(row.label)):
        raise DataError("no labels (null or NaN)", where=row.where, expected="labels, or an empty cell")
    return [name for part in str(row.label).split(separator) if (name := part.strip())]


def _flag(value: object, column: str, row: Row) -> bool:
    if str(value).lower() not in ("0", "1", "0.0", "1.0", "true", "false"):
        raise DataError(f"{value!r} in column {column!r}", where=row.where, expected="0 or 1")
    return str(value).lower() in ("1", "1.0", "true")


def _number(row: Row) -> float:
    try:
        value = float(row.label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"label {row.label!r}", where=row.where, expected="a finite number")
    if abs(value) > LARGEST:
        raise DataError(
            f"label {row.label!r} is too large", where=row.where, expected=f"at most {LARGEST:.2g} (32 bits)"
        )
    return value


def _check_learnable(train: Examples, names: tuple[str, ...], study: Study) -> None:
    if study.task == "classification" and len(names) < 2:
        raise DataError(
            f"a single class, {names[0]!r}, in the training texts", where="data", expected="at least two"
        )
    if study.task == "multi-label" and not train.labels.any():
        raise DataError("no training text has a label", where="data", expected="at least one label")
    if study.task == "regression" and np.ptp(train.labels) == 0:
        raise DataError(f"every training label is {train.labels[0]:g}", where="data", expected="two values")
    for size in study.sizes:
        if size != "all" and size > len(train):
            raise DataError(
                f"size {size} is more than the {len(train)} training texts",
                where="sizes",
                expected=f"at most {len(train)}, or all",
            )


def _key(text: Text) -> str:
    # Each text by itself: split() takes the separator for a space too.
    return "\x1f".join(" ".join(one.split()) for one in ((text,) if isinstance(text, str) else text))


def _label_key(row: Row, study: Study) -> tuple[str | float, ...]:
    """The label as the study sees it: 1 in one file and "1" in another are one class."""
    if study.task == "instruction":
        return ()
    return (_number(row),) if study.task == "regression" else tuple(sorted(set(_all_names(row, study))))


def _duplicates(rows: dict[Part, list[Row]]) -> Iterator[StudyWarning]:
    for part in PARTS:
        count = len(rows[part]) - len({_key(row.text) for row in rows[part]})
        if count:
            yield StudyWarning(
                kind="duplicates",
                message=f"{_texts(count)} of {part} ({_share(count, rows[part])}) "
                f"{_repeat(count)} an earlier one of the same part",
            )


def _leaks(rows: dict[Part, list[Row]], study: Study) -> Iterator[StudyWarning]:
    """Texts of valid or test that training shows too, with the same or with another label."""
    seen: dict[str, set[tuple[str | float, ...]]] = defaultdict(set)
    for row in rows["train"]:
        seen[_key(row.text)].add(_label_key(row, study))
    for part in ("valid", "test"):
        leaked = [row for row in rows[part] if _key(row.text) in seen]
        others = sum(_label_key(row, study) not in seen[_key(row.text)] for row in leaked)
        if leaked:
            also = f", {others} of them with another label" if others else ""
            share = _share(len(leaked), rows[part])
            yield StudyWarning(
                kind="leak",
                message=f"{_texts(len(leaked))} of {part} ({share}) {_are(len(leaked))} in train too{also}",
            )


def _imbalance(train: Examples, names: tuple[str, ...], task: TaskName) -> Iterator[StudyWarning]:
    if task != "classification":
        return
    counts = Counter(train.labels.tolist())
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= IMBALANCE * counts[least]:
        yield StudyWarning(
            kind="imbalance",
            message=f"class {names[most]!r} has {counts[most]} training texts, {names[least]!r} has "
            f"{counts[least]}: read macro_f1 or balanced_accuracy beside accuracy",
        )


def _share(count: int, rows: Sequence[Row]) -> str:
    return f"{100 * count / len(rows):.1f}%"


def _texts(count: int) -> str:
    return f"{count} text" if count == 1 else f"{count} texts"


def _repeat(count: int) -> str:
    return "repeats" if count == 1 else "repeat"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
