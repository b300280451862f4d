"""Looks at a data file or folder and guesses its study's `data` section: columns, task, classes, lengths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.config.study import Data
from headstart.config.traits import TaskName
from headstart.data.guess.columns import Column, describe_columns
from headstart.data.guess.conversations import guess_conversation, mention_label, refuse_preferences
from headstart.data.guess.data_guess import DataGuess
from headstart.data.guess.files import PartFiles, find_files, mention_siblings
from headstart.data.guess.header import check_header
from headstart.data.guess.labels import LabelGuess, check_flags, check_label, find_task, guess_label
from headstart.data.guess.lengths import measure_lengths
from headstart.data.guess.sample import Sample, sample_rows
from headstart.data.guess.texts import TextGuess, guess_texts
from headstart.errors import DataError
from headstart.wording import format_names

#: With fewer rows of a class a split may leave it out of the training examples.
_FEW_ROWS = 10
_CLASSES_NAMED = 5


@dataclass(frozen=True)
class _Table:
    """The rows that were looked at, and their columns."""

    file: Path
    sample: Sample
    columns: Mapping[str, Column]

    @property
    def useful(self) -> dict[str, Column]:
        """Columns that could tell anything."""
        return {name: column for name, column in self.columns.items() if column.say_why_useless() is None}


@dataclass(frozen=True)
class _Reading:
    """What the table is for: its task, columns by `data` key, and what is to be said of it."""

    task: TaskName
    columns: dict[str, str | tuple[str, ...]]
    classes: dict[str, int]
    settings: dict[str, str]
    doubts: tuple[str, ...]


def guess_data(path: Path, text: str | None = None, label: str | None = None) -> DataGuess:
    """Look at `path`: a file, a folder with files of train, valid and test, or one sub-folder for each class.

    Args:
        text: the column of texts, where it is known; two with a comma between for a pair.
        label: the column of labels, where it is known; several with commas between for columns of 0 and 1.

    Raises:
        DataError: nothing readable there, no names of columns, or none that could be the text or the label.
    """
    found = find_files(path)
    table = _read_table(found)
    if not {text, label} & table.columns.keys():
        check_header(table.columns, table.file, found.separator)
    reading = _read_as_conversation(table) if text is None and label is None else None
    reading = reading or _read_as_labelled(table, text, label)
    return _describe(found, table, reading)


def _read_table(found: PartFiles) -> _Table:
    file, sample = found.train[0], sample_rows(found.open_rows())
    if not sample.rows:
        raise DataError("no rows", where=str(file), expected="labelled texts")
    return _Table(file, sample, describe_columns(sample.rows))


def _read_as_conversation(table: _Table) -> _Reading | None:
    refuse_preferences(table.columns, table.file)
    columns = guess_conversation(table.columns)
    if columns is None:
        return None
    return _Reading(find_task("conversation"), columns, {}, {}, tuple(mention_label(table.useful)))


def _read_as_labelled(table: _Table, text: str | None, label: str | None) -> _Reading:
    given_text = () if text is None else _parse_columns(text, table)
    labels = _find_labels(table, given_text, label)
    names = [labels.columns] if isinstance(labels.columns, str) else [*labels.columns]
    texts = TextGuess(given_text) if given_text else guess_texts(table.columns, names, table.file)
    separator = {} if labels.separator is None else {"label_separator": labels.separator}
    default = {"label_separator": Data.model_fields["label_separator"].default}
    return _Reading(
        labels.task,
        {"text": texts.columns[0] if len(texts.columns) == 1 else texts.columns, "label": labels.columns},
        labels.classes,
        {} if separator == default else separator,
        (*labels.doubts, *texts.doubts, *_mention_rare(labels)),
    )


def _find_labels(table: _Table, texts: Sequence[str], label: str | None) -> LabelGuess:
    if label is None:
        useful = {name: column for name, column in table.useful.items() if name not in texts}
        return guess_label(table.columns, useful, table.sample.rows, table.file)
    names = _parse_columns(label, table)
    if len(names) > 1:
        return check_flags([table.columns[name] for name in names], table.sample.rows, table.file)
    return check_label(table.columns[names[0]], len(table.sample.rows), table.file)


def _parse_columns(given: str, table: _Table) -> tuple[str, ...]:
    """The column of that name, or those of which the names stand with commas between."""
    names = (given,) if given in table.columns else tuple(name.strip() for name in given.split(","))
    for name in names:
        if name not in table.columns:
            known = ", ".join(table.columns)
            raise DataError(f"no column {name!r}", where=str(table.file), expected=f"one of {known}")
    return names


def _mention_rare(labels: LabelGuess) -> list[str]:
    """Classes of which a split may leave no row to learn from."""
    rare = [name for name, rows in labels.classes.items() if rows < _FEW_ROWS]
    if not rare:
        return []
    shown = format_names([f"{name} ({labels.classes[name]})" for name in rare], _CLASSES_NAMED)
    return [f"few rows seen of {shown}: test results will be unreliable"]


def _describe(found: PartFiles, table: _Table, reading: _Reading) -> DataGuess:
    used = list(_flatten(reading.columns.values()))
    texts = [name for key, value in reading.columns.items() if key != "label" for name in _flatten([value])]
    lengths = measure_lengths(table.sample.rows, table.columns, texts)
    return DataGuess(
        source=table.file if len(found.train) == 1 else table.file.parent,
        files=found.keys,
        parts=found.parts,
        task=reading.task,
        columns=reading.columns,
        settings={**_list_settings(found), **reading.settings},
        classes=reading.classes,
        rows=table.sample.total,
        seen=len(table.sample.rows),
        median_words=lengths.median_words,
        long_tokens=lengths.long_tokens,
        doubts=(*reading.doubts, *_mention_divisions(table), *mention_siblings(found)),
        faults=tuple(_find_faults(table, reading)),
        passed_over={
            name: why
            for name, column in table.columns.items()
            if name not in used and (why := column.say_why_useless()) is not None
        },
    )


def _mention_divisions(table: _Table) -> list[str]:
    """Columns that divide the rows into parts, which a study does not read."""
    return [
        (
            f"{name} names each row's part but is not used: rows are split again; to keep these parts, "
            "write one file per part and name them `train`, `valid` and `test` in data"
        )
        for name, column in table.columns.items()
        if column.divides_rows
    ]


def _list_settings(found: PartFiles) -> dict[str, str]:
    default = Data.model_fields["separator"].default
    return {} if found.separator == default else {"separator": found.separator}


def _find_faults(table: _Table, reading: _Reading) -> list[str]:
    """Rows without a text, an answer or a label, which a study refuses."""
    may_be_empty = isinstance(reading.columns.get("prompt"), tuple) or reading.task == find_task("label-set")
    return [
        f"{name} is empty in {table.columns[name].empty} of the {len(table.sample.rows)} rows seen"
        for key, value in reading.columns.items()
        for name in _flatten([value])
        if table.columns[name].empty and not (may_be_empty and key in ("prompt", "label"))
    ]


def _flatten(columns: Iterable[str | tuple[str, ...]]) -> Iterable[str]:
    for value in columns:
        yield from (value,) if isinstance(value, str) else value
