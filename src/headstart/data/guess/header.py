"""Refuses a table whose first row is data: its cells would be taken for names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headstart.data.guess.columns import Column, shorten
from headstart.data.guess.names import is_known
from headstart.errors import DataError

#: Formats that have a header.
_SUFFIXES: Final = (".csv", ".tsv")
_TAB: Final = "\t"
#: Names of columns are shorter, in words; values that come again and again are few.
_LONG_NAME, _FEW_VALUES = 6, 50


def check_header(columns: Mapping[str, Column], file: Path, separator: str = ",") -> None:
    """Refuse a first row that is data, unless one of its cells is what columns are usually called.

    Raises:
        DataError: it looks like data.
    """
    suffix = file.suffix.lower()
    if suffix not in _SUFFIXES or any(name.strip() and is_known(name) for name in columns):
        return
    named = [name for name in columns if name.strip()]
    counted = named == [str(i) for i in range(len(named))]
    if counted or not any(_looks_like_data(column) for column in columns.values()):
        return  # pandas counts columns from 0 where they have no names
    names = (_TAB if suffix == ".tsv" else separator).join(_suggest_names(columns)).replace("\t", "\\t")
    raise DataError(
        f"the first row looks like data: {', '.join(repr(shorten(name)) for name in columns)}",
        where=f"{file}:1",
        expected="names of the columns in the first row",
        fix=f"put one before it: printf '{names}\\n' | cat - {file.name} > named-{file.name}",
    )


def _looks_like_data(column: Column) -> bool:
    name = column.name.strip()
    if not name:
        return False
    is_value = name in column.counts and len(column.counts) <= _FEW_VALUES
    is_sentence = len(name.split()) > _LONG_NAME or (name.endswith((".", "!")) and len(name.split()) > 1)
    return is_value or is_sentence or _is_value_of_numbers(column, name)


def _is_value_of_numbers(column: Column, name: str) -> bool:
    """Whether a number stands at the head of a column of numbers, among which it could be."""
    try:
        number = float(name)
    except ValueError:
        return False
    return column.numbers is not None and min(column.numbers) <= number <= max(column.numbers)


def _suggest_names(columns: Mapping[str, Column]) -> list[str]:
    """`text` for the longest cells, `label` for those that differ least, and a letter for each other."""
    text = max(columns.values(), key=lambda column: column.median_words).name
    label = min((c for c in columns.values() if c.name != text), key=lambda c: len(c.counts), default=None)
    known = {text: "text"} | ({label.name: "label"} if label else {})
    return [known.get(name, f"column{i}") for i, name in enumerate(columns, start=1)]
