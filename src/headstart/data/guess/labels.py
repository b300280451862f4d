"""Guesses which column, or columns of 0 and 1, hold the labels, and which task they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from headstart.config.traits import TASKS, LabelKind, TaskName
from headstart.data.guess.columns import Column, is_flag, is_set, is_whole, shorten
from headstart.data.guess.label_sets import (
    count_listed,
    find_separator,
    holds_labels,
    holds_rows_of_flags,
    split_labels,
)
from headstart.data.guess.names import JUDGEMENTS, LABELS, QUANTITIES, find_named, find_pair
from headstart.errors import DataError

#: More different values are no classes, unless the column is called a label and most values come twice.
_MOST_CLASSES: Final = 50
#: Whole numbers: up to so many different ones are classes; as many in a row may be an order, as stars are.
_FEW_NUMBERS, _STEPS_OF_AN_ORDER = 10, 5
#: Rows that each of many numbered classes has.
_ROWS_A_CLASS: Final = 5
_AS_NUMBERS, _AS_CLASSES = "`task: regression`", "`task: classification`"


@dataclass(frozen=True)
class LabelGuess:
    """The column of labels, or several of 0 and 1; `classes` count rows by class, and are empty for numbers.

    `separator` stands between the labels of one cell, where they are several. `doubts` say what else it
    could be.
    """

    columns: str | tuple[str, ...]
    task: TaskName
    classes: dict[str, int]
    separator: str | None = None
    doubts: tuple[str, ...] = ()


def guess_label(
    columns: Mapping[str, Column], useful: Mapping[str, Column], rows: Sequence[Mapping[str, Any]], file: Path
) -> LabelGuess:
    """By name, else several columns of 0 and 1, else by values.

    Args:
        columns: all of the table.
        useful: those that could tell anything.

    Raises:
        DataError: none could be the label.
    """
    named = find_named(useful, LABELS)
    judged = judge_column(useful[named], is_pair=find_pair([*columns]) is not None) if named else None
    flags = [name for name, column in useful.items() if column.is_flag and len(column.counts) == 2]
    is_one_of_many = named in flags and len(flags) > 2 and str(named).lower() not in JUDGEMENTS
    if judged is not None and not is_one_of_many:
        others = [name for name in flags if name != named]
        return replace(judged, doubts=(*judged.doubts, *_mention_flags(others)))
    if len(flags) > 1:
        return count_flags(flags, rows)
    return _guess_by_values(columns, useful, len(rows), file, named)


def check_label(column: Column, rows: int, file: Path) -> LabelGuess:
    """What the labels of the column that the user named are.

    Raises:
        DataError: nothing that can be learnt.
    """
    if len(column.counts) < 2:
        what = column.say_why_useless()
        raise DataError(f"column {column.name!r} is {what}", where=str(file), expected="at least two labels")
    judged = judge_column(column, is_pair=False)
    if judged is None:
        raise _explain_too_many(column, rows, file)
    return judged


def check_flags(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], file: Path) -> LabelGuess:
    """The labels of columns that the user named, each of 0 and 1.

    Raises:
        DataError: one of them holds something else.
    """
    other = next((column for column in columns if not column.is_flag), None)
    if other is not None:
        value = next(value for value in other.counts if not is_flag(value))
        raise DataError(f"{value!r} in column {other.name!r}", where=str(file), expected="0 or 1")
    return count_flags([column.name for column in columns], rows)


def find_task(kind: LabelKind) -> TaskName:
    """The task whose labels are of this kind."""
    return next(name for name, traits in TASKS.items() if traits.labels == kind)


def judge_column(column: Column, *, is_pair: bool) -> LabelGuess | None:
    """What its cells would be as labels; None where they are none."""
    if column.lists is not None:
        return None if column.holds_messages else _judge_lists(column)
    if column.numbers is not None:
        return _judge_numbers(column, column.numbers, is_pair=is_pair)
    separator = find_separator(column)
    if separator is not None:
        classes = Counter(name for cell in column.cells for name in split_labels(str(cell), separator))
        return LabelGuess(column.name, find_task("label-set"), dict(classes.most_common()), separator)
    if not column.cells or any(isinstance(cell, Mapping) for cell in column.cells):
        return None
    if len(column.counts) > max(_MOST_CLASSES, len(column.cells) // 2):
        return None
    return _judge_classes(column)


def _judge_classes(column: Column, *doubts: str) -> LabelGuess:
    return LabelGuess(column.name, find_task("class"), dict(column.counts.most_common()), doubts=doubts)


def _judge_lists(column: Column) -> LabelGuess | None:
    """Sets of labels; not tokens or their tags, measurements, or objects."""
    classes = count_listed(column)
    if not holds_labels(column) or len(classes) > max(_MOST_CLASSES, len(column.cells) // 2):
        return None
    doubt = (
        f"{column.name} holds 0 or 1 for {len(classes)} labels: `label_names: [...]` in data gives them names"
    )
    doubts = (doubt,) if holds_rows_of_flags(column) else ()
    return LabelGuess(column.name, find_task("label-set"), classes, doubts=doubts)


def _judge_numbers(column: Column, numbers: Sequence[float], *, is_pair: bool) -> LabelGuess:
    """Classes where few whole numbers come again and again; else numbers. What is between has its doubt."""
    values = sorted(set(numbers))
    name, span = column.name, f"from {values[0]:g} to {values[-1]:g}"
    is_quantity, is_dense = name.lower() in QUANTITIES, values[-1] - values[0] + 1 == len(values)
    if len(values) <= 2:
        return _judge_classes(column)
    if not is_whole(numbers):
        few = [f"{name} has {len(values)} different values: as classes, {_AS_CLASSES}"]
        return _make_numbers(name, few if len(values) <= _FEW_NUMBERS else [])
    in_order = f"{name} holds whole numbers {span}, taken as {{}}: "
    as_classes = in_order.format("numbers") + f"as classes, {_AS_CLASSES}"
    as_numbers = in_order.format("classes") + f"as numbers, {_AS_NUMBERS}"
    if len(values) <= _FEW_NUMBERS:
        if is_pair and is_quantity:
            return _make_numbers(name, [as_classes])
        is_order = is_quantity or (is_dense and len(values) >= _STEPS_OF_AN_ORDER)
        return _judge_classes(column, *([as_numbers] if is_order else []))
    if is_quantity or not is_dense or len(numbers) < _ROWS_A_CLASS * len(values):
        return _make_numbers(name, [as_classes] if len(values) <= _MOST_CLASSES else [])
    return _judge_classes(column, as_numbers)


def _make_numbers(name: str, doubts: Sequence[str]) -> LabelGuess:
    return LabelGuess(name, find_task("number"), {}, doubts=tuple(doubts))


def count_flags(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> LabelGuess:
    """Several columns of 0 and 1, or true and false, as labels in the columns' order."""
    ones = [[is_set(row.get(name)) for name in names] for row in rows]
    classes = {name: sum(row[i] for row in ones) for i, name in enumerate(names)}
    exactly_one = all(sum(row) == 1 for row in ones)
    doubt = (
        f"each row has exactly one of {', '.join(names)}: as classes, one column with its name, {_AS_CLASSES}"
    )
    return LabelGuess(tuple(names), find_task("label-set"), classes, doubts=(doubt,) if exactly_one else ())


def _mention_flags(flags: Sequence[str]) -> list[str]:
    if len(flags) < 2:
        return []
    columns = ", ".join(map(shorten, flags))
    return [f"{columns} hold 0 and 1: as labels, `task: multi-label` and `label: [{columns}]`"]


def _guess_by_values(
    columns: Mapping[str, Column], useful: Mapping[str, Column], rows: int, file: Path, named: str | None
) -> LabelGuess:
    """The last column of few values; else the last of numbers."""
    is_pair = find_pair([*columns]) is not None
    most = min(_MOST_CLASSES, rows // 2)
    judged = [
        guess
        for name, column in useful.items()
        if name != named and (guess := judge_column(column, is_pair=is_pair)) is not None
    ]
    classes = [guess for guess in judged if guess.classes and 1 < len(guess.classes) <= most]
    found = classes or [guess for guess in judged if not guess.classes]
    if not found:
        raise _explain_no_label(columns, rows, file, named)
    *others, last = found
    names = [str(guess.columns) for guess in others]
    doubt = f"{_show_columns(last)} was taken as the label, judging by its values" + (
        f"; {', '.join(names)} could be too: `headstart init --label COLUMN`" if names else ""
    )
    return replace(last, doubts=(*last.doubts, doubt))


def _show_columns(guess: LabelGuess) -> str:
    """The column's name, in quotation marks where it has spaces that do not show."""
    name = str(guess.columns)
    return name if name == name.strip() and name.isprintable() else repr(name)


def _explain_no_label(columns: Mapping[str, Column], rows: int, file: Path, named: str | None) -> DataError:
    if named is not None:
        return _explain_too_many(columns[named], rows, file)
    if len(columns) == 1:
        return DataError(
            f"one column, {next(iter(columns))}, and no labels",
            where=str(file),
            expected="texts with labels, or prompts with responses",
            fix="add a column of labels",
        )
    useless = {name: why for name, column in columns.items() if (why := column.say_why_useless())}
    why = f" ({', '.join(f'{name}: {why}' for name, why in useless.items())})" if useless else ""
    return DataError(
        f"no column looks like a label among {', '.join(columns)}{why}",
        where=str(file),
        expected="a column of classes or numbers, lists of labels, or prompts with responses",
        fix="name it: --label COLUMN",
    )


def _explain_too_many(column: Column, rows: int, file: Path) -> DataError:
    if column.odd_number is not None:
        return DataError(
            f"{column.odd_number!r} in column {column.name!r} is not a number, and there are "
            f"{len(column.counts)} values: too many for classes",
            where=str(file),
            expected="numbers such as 0.5",
            fix="write them as plain decimals; or name the label column: --label COLUMN",
        )
    return DataError(
        f"column {column.name!r} has {len(column.counts)} values in {rows} rows: too many for classes",
        where=str(file),
        fix="name the label column: --label COLUMN",
    )
