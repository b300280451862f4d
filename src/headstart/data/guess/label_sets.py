"""Tells cells that hold several labels, `funny|film` or a list, from names that hold a comma."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from headstart.data.guess.columns import Column, is_flag, is_set

#: What may stand between labels, the study's own first.
_SEPARATORS: Final = ("|", ";", ",", "/")
#: A label is shorter; a cell with several of them is not a rare exception.
_LONG_LABEL, _RARE = 5, 0.02


def find_separator(column: Column) -> str | None:
    """What stands between the labels of a cell; None where cells hold one label each."""
    if not column.is_text:
        return None
    return next((separator for separator in _SEPARATORS if _separates(separator, column)), None)


def split_labels(cell: str, separator: str) -> list[str]:
    """The labels of one cell."""
    return [name for part in cell.split(separator) if (name := part.strip())]


def count_listed(column: Column) -> dict[str, int]:
    """Rows that have each label, of cells that are lists; by place where they are rows of 0 and 1."""
    lists = column.lists or ()
    if holds_rows_of_flags(column):
        return {str(i): sum(is_set(row[i]) for row in lists) for i in range(len(lists[0]))}
    return dict(Counter(str(name) for names in lists for name in names).most_common())


def holds_labels(column: Column) -> bool:
    """Whether each cell lists names or whole numbers, none twice, or is a row of 0 and 1."""
    names = [value for row in column.lists or () for value in row]
    if not all(
        isinstance(name, str | int) or (isinstance(name, float) and name.is_integer()) for name in names
    ):
        return False
    return holds_rows_of_flags(column) or all(len(set(row)) == len(row) for row in column.lists or ())


def holds_rows_of_flags(column: Column) -> bool:
    """Whether each cell is a list of as many 0 and 1, a place for each label."""
    lists = column.lists or ()
    if len({len(row) for row in lists}) != 1 or len(lists[0]) < 2:
        return False
    return all(is_flag(value) for row in lists for value in row)


def _separates(separator: str, column: Column) -> bool:
    """Whether short names come in several combinations; parts of one name always come together."""
    cells = {cell: split_labels(cell, separator) for cell in column.counts}
    several = [names for names in cells.values() if len(names) > 1]
    rows = sum(column.counts[cell] for cell, names in cells.items() if len(names) > 1)
    if rows < 2 or rows < _RARE * len(column.cells):
        return False
    if any(len(name.split()) >= _LONG_LABEL for names in cells.values() for name in names):
        return False
    if separator == "," and all(name.isdigit() for names in several for name in names):
        return False  # decimals
    combinations: dict[str, int] = defaultdict(int)
    for names in cells.values():
        for name in set(names):
            combinations[name] += 1
    combined = {name for names in several for name in names}
    return 2 * sum(combinations[name] > 1 for name in combined) >= len(combined)
