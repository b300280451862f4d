"""A source's rows as columns, each row made when it is asked for: a million objects would not fit."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, overload

import numpy as np

from headstart.data.corpus import Row, Text
from headstart.data.text_column import TextColumn, TextColumnBuilder

#: Different values of a column that are looked for again; beyond them an equal one may be kept twice.
_MOST_KNOWN: Final = 100_000
_DIGITS: Final = "0123456789"


@dataclass(frozen=True, eq=False)
class ValueColumn:
    """N values, of which most stand more than once: `values` and, for each of the N, its place there."""

    codes: np.ndarray
    values: Sequence[Any]

    def __getitem__(self, place: int) -> Any:
        return self.values[self.codes[place]]

    def select(self, index: np.ndarray) -> ValueColumn:
        """The values at `index`, in that order."""
        return replace(self, codes=self.codes[index])

    def list_distinct(self) -> list[Any]:
        """The different values in the order of their first places."""
        codes, first = np.unique(self.codes, return_index=True)
        return [self.values[code] for code in codes[np.argsort(first)]]


@dataclass(frozen=True, eq=False)
class PlaceColumn:
    """N places such as `file:line`: what stands before the number, and the number; -1 for none."""

    before: ValueColumn
    numbers: np.ndarray

    def __getitem__(self, place: int) -> str:
        number = self.numbers[place]
        return f"{self.before[place]}{number}" if number >= 0 else str(self.before[place])

    def select(self, index: np.ndarray) -> PlaceColumn:
        """The places at `index`, in that order."""
        return PlaceColumn(self.before.select(index), self.numbers[index])


@dataclass(frozen=True, eq=False)
class RowTable(Sequence[Row]):
    """N rows; `groups` and `test_groups` hold None for rows without one.

    `test_groups` are by the column that groups test texts, also in the other parts.
    """

    ids: np.ndarray
    places: PlaceColumn
    texts: TextColumn
    labels: ValueColumn
    groups: ValueColumn
    test_groups: ValueColumn

    @classmethod
    def of(cls, rows: Sequence[Row]) -> RowTable:
        """The same rows, as columns."""
        if isinstance(rows, RowTable):
            return rows
        builder = RowTableBuilder()
        for row in rows:
            builder.add(row.id, row.where, row.text, row.label, row.group, row.test_group)
        return builder.build()

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> RowTable: ...
    def __getitem__(self, place: int | slice) -> Row | RowTable:
        if isinstance(place, slice):
            return self.select(np.arange(len(self))[place])
        return self._make_row(place, self.texts[place])

    def __eq__(self, other: object) -> bool:
        """Whether the other holds the same rows, in whatever way."""
        return isinstance(other, Sequence) and len(self) == len(other) and list(self) == list(other)

    def __iter__(self) -> Iterator[Row]:
        return (self._make_row(i, text) for i, text in enumerate(self.texts))

    def _make_row(self, place: int, text: Text) -> Row:
        return Row(
            id=int(self.ids[place]),
            where=self.places[place],
            text=text,
            label=self.labels[place],
            group=self.groups[place],
            test_group=self.test_groups[place],
        )

    def select(self, index: np.ndarray) -> RowTable:
        """The rows at `index`, in that order."""
        return RowTable(
            self.ids[index],
            self.places.select(index),
            self.texts.select(index),
            self.labels.select(index),
            self.groups.select(index),
            self.test_groups.select(index),
        )

    def find_distinct(self) -> tuple[RowTable, np.ndarray]:
        """The first row with each different label, [D] in their order, and which of them each has, [N].

        Equal labels may be among the D more than once; of equal ones in `which` it is so without fail.
        """
        _, first, which = np.unique(self.labels.codes, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return self.select(first[order]), rank[which]

    def with_labels(self, labels: Sequence[object], which: np.ndarray) -> RowTable:
        """The same rows with other labels: of `labels` [D] the one that `which` [N] says."""
        return replace(self, labels=ValueColumn(which, labels))


def list_distinct(rows: Sequence[Row]) -> Sequence[Row]:
    """The first row with each different label; rows that are no table as they are."""
    return rows.find_distinct()[0] if isinstance(rows, RowTable) else rows


class RowTableBuilder:
    """Puts rows into columns, one after the other."""

    def __init__(self) -> None:
        self._ids, self._places = array("q"), PlaceColumnBuilder()
        self._texts = TextColumnBuilder()
        self._labels, self._groups, self._test_groups = (ValueColumnBuilder() for _ in range(3))

    def __len__(self) -> int:
        return len(self._ids)

    def knows_label(self, label: object) -> bool:
        """Whether a row with this very label was added."""
        return self._labels.knows(label)

    def add(
        self, index: int, where: str, text: Text, label: object, group: str | None, test_group: str | None
    ) -> None:
        """Append one row."""
        self._ids.append(index)
        self._places.add(where)
        self._texts.add(text)
        self._labels.add(label)
        self._groups.add(group)
        self._test_groups.add(test_group)

    def build(self) -> RowTable:
        """The rows that were added."""
        return RowTable(
            np.array(self._ids, np.int64),
            self._places.build(),
            self._texts.build(),
            self._labels.build(),
            self._groups.build(),
            self._test_groups.build(),
        )


class ValueColumnBuilder:
    """Numbers values as they come, equal ones alike."""

    def __init__(self) -> None:
        self._codes = array("i")
        self._values: list[Any] = []
        self._known: dict[object, int] = {}

    def knows(self, value: object) -> bool:
        """Whether this very value was added."""
        return _make_key(value) in self._known

    def add(self, value: object) -> None:
        """Append one value."""
        key = value if type(value) is str else _make_key(value)
        code = self._known.get(key)
        if code is None:
            code = len(self._values)
            self._values.append(value)
            if code < _MOST_KNOWN:
                self._known[key] = code
        self._codes.append(code)

    def build(self) -> ValueColumn:
        """The values that were added."""
        return ValueColumn(np.array(self._codes, np.int32), self._values)


class PlaceColumnBuilder:
    """Splits places into what stands before a number, and the number."""

    def __init__(self) -> None:
        self._before, self._numbers = ValueColumnBuilder(), array("q")

    def add(self, where: str) -> None:
        """Append one place."""
        before = where.rstrip(_DIGITS)
        number = where[len(before) :]
        if not number or number[0] == "0" or len(number) > 18:  # no number, or one that is written otherwise
            before, number = where, "-1"
        self._before.add(before)
        self._numbers.append(int(number))

    def build(self) -> PlaceColumn:
        """The places that were added."""
        return PlaceColumn(self._before.build(), np.array(self._numbers, np.int64))


def _make_key(value: object) -> object:
    """Equal for values that are the same in all respects: 1, 1.0 and True are three, as are [1] and [1.0]."""
    if value is None or type(value) is str:
        return value
    return type(value), value if isinstance(value, int) else repr(value)
