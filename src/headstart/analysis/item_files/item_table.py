"""Items of a file as columns, a row made when it is asked for: a million objects would not fit."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import pyarrow as pa

from headstart.analysis.item_files.item_values import ItemValues, ItemValuesBuilder
from headstart.analysis.item_files.names import NameColumnBuilder, read_name
from headstart.data.row_table import PlaceColumn, PlaceColumnBuilder, ValueColumn, ValueColumnBuilder


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What one item scored in one run: `values` by metric, None or absent where there is none.

    `item` is the same in the files of all arms that answered it; items of one `group` are not independent.
    """

    where: str
    item: str
    values: Mapping[str, object]
    seed: int = 0
    arm: str | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False)
class ItemTable(Sequence[ItemRow]):
    """N rows; `items` and `groups` are names as UTF-8, of which groups may be absent; `seeds` [N].

    `values` are by metric, in the order in which a file has them.
    """

    places: PlaceColumn
    items: pa.LargeBinaryArray
    groups: pa.LargeBinaryArray | None
    arms: ValueColumn
    seeds: np.ndarray
    values: Mapping[str, ItemValues]

    @classmethod
    def of(cls, rows: Iterable[ItemRow]) -> ItemTable:
        """Rows as columns, one after the other."""
        builder = ItemTableBuilder()
        for row in rows:
            builder.add(row.where, row.item, row.values.items(), row.seed, row.arm, row.group)
        return builder.build()

    @classmethod
    def join(cls, tables: Sequence[ItemTable]) -> ItemTable:
        """The rows of one table after those of the other."""
        return tables[0] if len(tables) == 1 else cls.of(row for table in tables for row in table)

    def __len__(self) -> int:
        return len(self.seeds)

    @overload
    def __getitem__(self, place: int) -> ItemRow: ...
    @overload
    def __getitem__(self, place: slice) -> ItemTable: ...
    def __getitem__(self, place: int | slice) -> ItemRow | ItemTable:
        if isinstance(place, slice):
            return self.select(np.arange(len(self))[place])
        place = range(len(self))[place]
        return ItemRow(
            where=self.places[place],
            item=read_name(self.items, place) or "",
            values={
                name: value
                for name, column in self.values.items()
                if (value := column.get(place)) is not None
            },
            seed=int(self.seeds[place]),
            arm=self.arms[place],
            group=None if self.groups is None else read_name(self.groups, place),
        )

    def list_arms(self) -> list[str | None]:
        """The different ones, in their order."""
        return self.arms.list_distinct()

    def split_arms(self, own: str) -> dict[str, ItemTable]:
        """By arm, its rows and those that say nothing of theirs; these alone are of arm `own`."""
        if len(self.arms.values) < 2:
            return {arm or own: self for arm in self.list_arms()}
        unsaid = np.flatnonzero(self._find_arm(None))
        order = np.argsort(self.arms.codes, kind="stable")
        ends = np.searchsorted(self.arms.codes[order], np.arange(len(self.arms.values) + 1))
        split: dict[str, ItemTable] = {}
        for arm in dict.fromkeys(arm or own for arm in self.list_arms()):
            codes = [code for code, value in enumerate(self.arms.values) if value == arm]
            parts = [order[ends[code] : ends[code + 1]] for code in codes]
            split[arm] = self.select(np.sort(np.concatenate([*parts, unsaid])))
        return split

    def _find_arm(self, arm: str | None) -> np.ndarray:
        return np.isin(self.arms.codes, [code for code, v in enumerate(self.arms.values) if v == arm])

    def select(self, index: np.ndarray) -> ItemTable:
        """The rows at `index`, in that order."""
        return ItemTable(
            self.places.select(index),
            self.items.take(pa.array(index)),
            None if self.groups is None else self.groups.take(pa.array(index)),
            self.arms.select(index),
            self.seeds[index],
            {name: column.select(index) for name, column in self.values.items()},
        )

    def without_arms(self) -> ItemTable:
        """The same rows, none of which says whose it is."""
        return replace(self, arms=ValueColumn(np.zeros(len(self), np.int32), [None]))


class ItemTableBuilder:
    """Puts rows into columns, one after the other; more values of a row may follow later."""

    def __init__(self) -> None:
        self._places, self._arms = PlaceColumnBuilder(), ValueColumnBuilder()
        self._items, self._groups = NameColumnBuilder(), NameColumnBuilder()
        self._seeds = array("q")
        self._values: dict[str, ItemValuesBuilder] = {}

    def add(
        self,
        where: str,
        item: str,
        values: Iterable[tuple[str, object]],
        seed: int = 0,
        arm: str | None = None,
        group: str | None = None,
    ) -> int:
        """Append one row; gives its place."""
        place = len(self._seeds)
        self._places.add(where)
        self._items.add(item)
        self._groups.add(group)
        self._arms.add(arm)
        self._seeds.append(seed)
        self.add_values(place, values)
        return place

    def add_values(self, place: int, values: Iterable[tuple[str, object]]) -> None:
        """What the row at `place` has by these metrics, in place of what it had."""
        for name, value in values:
            if value is not None:
                column = self._values.get(name)
                if column is None:
                    column = self._values[name] = ItemValuesBuilder()
                column.set(place, value)

    def build(
        self, names: NameColumnBuilder | None = None, rename: Callable[[str], str] | None = None
    ) -> ItemTable:
        """The rows that were added.

        Args:
            names: of the items, where they were not known before.
            rename: what the metrics are called, where that was not known before.
        """
        count = len(self._seeds)
        return ItemTable(
            self._places.build(),
            (names or self._items).build(),
            self._groups.build() if self._groups.has_any else None,
            self._arms.build(),
            np.array(self._seeds, np.int64),
            {rename(name) if rename else name: column.build(count) for name, column in self._values.items()},
        )
