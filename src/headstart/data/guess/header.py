"""Refuses a table whose first row is data: its cells would be taken for names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headstart.data.guess.columns import Column, shorten
from headstart.data.guess.names import is_known
from headstart.data.lines import make_rewrite
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
    if named == [str(i) for i in range(len(named))]:
        return  # pandas counts columns from 0 where they have no names
    if not (any(map(_holds_a_value, columns.values())) or all(map(_is_sentence, named))):
        return
    names = (_TAB if suffix == ".tsv" else separator).join(_suggest_names(columns)).replace("\t", "\\t")
    raise DataError(
        f"the first row looks like data: {', '.join(repr(shorten(name)) for name in columns)}",
        where=f"{file}:1",
        expected="column names in the first row",
        fix="add one: "
        + make_rewrite(file, f"printf '{names}\\n' | cat - {{file}} > {{new}}")
        + "\n       or, if these are names, say which: --text COLUMN --label COLUMN",
    )


def _holds_a_value(column: Column) -> bool:
    """Whether the name is one of few values of the column, or a number such as its numbers."""
    name = column.name.strip()
    return (name in column.counts and len(column.counts) <= _FEW_VALUES) or _is_number_of(column, name)


def _is_number_of(column: Column, name: str) -> bool:
    """Whether it is a fraction, or a whole number among which those of the column lie; years may be names."""
    try:
        number = float(name)
    except ValueError:
        return False
    numbers = column.numbers
    return numbers is not None and ("." in name or min(numbers) <= number <= max(numbers))


def _is_sentence(name: str) -> bool:
    """Whether it is longer than names are; forms have questions for names."""
    return len(name.split()) > _LONG_NAME and not name.rstrip().endswith(("?", ":"))


def _suggest_names(columns: Mapping[str, Column]) -> list[str]:
    """`text` for the longest cells, `label` for those that differ least, and a letter for each other."""
    text = max(columns.values(), key=lambda column: column.median_words).name
    label = min((c for c in columns.values() if c.name != text), key=_rank_label, default=None)
    known = {text: "text"} | ({label.name: "label"} if label else {})
    return [known.get(name, f"column{i}") for i, name in enumerate(columns, start=1)]


def _rank_label(column: Column) -> tuple[int, bool]:
    return len(column.counts), column.numbers is None
