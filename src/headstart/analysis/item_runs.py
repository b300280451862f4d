"""Scores of arms' runs as arrays over the items of all files; which are compared is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from headstart.analysis.cells import parse_score
from headstart.analysis.item_files.base import ItemFile
from headstart.analysis.item_files.item_table import ItemTable
from headstart.analysis.item_files.item_values import Parts
from headstart.analysis.item_files.names import read_name
from headstart.errors import DataError, HeadstartError

#: No item, group or row.
_NONE: Final = -1


@dataclass(frozen=True, eq=False)
class ItemRun:
    """One run of an arm on the I items of all files: `scores` [I], NaN where it has none, and where each
    stands: row `rows` [I] of `table`, -1 where the run has no such item. `groups` [I] are numbers of names,
    -1 where an item has none; None where no item has one.
    """

    table: ItemTable
    rows: np.ndarray
    scores: np.ndarray
    groups: np.ndarray | None

    def locate(self, item: int) -> str:
        """Where an item's score stands."""
        return self.table.places[self.rows[item]]


#: By arm, by seed.
RunsByArm = Mapping[str, Mapping[int, ItemRun]]


@dataclass(frozen=True, eq=False)
class ItemRuns:
    """Runs by arm and seed; the names of the I items in the order of their first places, and of groups."""

    by_arm: RunsByArm
    items: pa.LargeBinaryArray
    groups: pa.LargeBinaryArray | None


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows [n] of one run in one arm's table, and their scores."""

    arm: str
    seed: int
    table: ItemTable
    rows: np.ndarray
    scores: np.ndarray


def read_item_runs(chosen: Mapping[str, Sequence[ItemFile]], metric: str) -> ItemRuns:
    """The scores of every arm by one metric, by seed and item.

    Raises:
        DataError: a score is no number, or an item is there twice.
    """
    parts = [part for arm, files in chosen.items() for part in _list_parts(arm, files, metric)]
    codes, items = _number_names([part.table.items for part in parts], parts)
    of_groups, groups = _number_groups(parts)
    by_arm: dict[str, dict[int, ItemRun]] = {arm: {} for arm in chosen}
    for part, of_items, group in zip(parts, codes, of_groups, strict=True):
        _check_once(part, of_items, items)
        by_arm[part.arm][part.seed] = ItemRun(
            part.table,
            _place(part.rows, of_items, len(items), _NONE),
            _place(part.scores, of_items, len(items), np.nan),
            None if group is None else _place(group, of_items, len(items), _NONE),
        )
    return ItemRuns(by_arm, items, groups)


def _number_groups(
    parts: Sequence[_Part],
) -> tuple[Sequence[np.ndarray | None], pa.LargeBinaryArray | None]:
    """As `_number_names`; None where no item has a group."""
    if all(part.table.groups is None for part in parts):
        return [None] * len(parts), None
    return _number_names([part.table.groups for part in parts], parts)


def _place(values: np.ndarray, items: np.ndarray, count: int, default: float) -> np.ndarray:
    """The values of rows as those of items, [I]."""
    placed = np.full(count, default, values.dtype)
    placed[items] = values
    return placed


def _list_parts(arm: str, files: Sequence[ItemFile], metric: str) -> Iterator[_Part]:
    """The arm's runs in the order of their first rows."""
    table = ItemTable.join([file.rows for file in files])
    scores = _read_scores(table, metric)
    seeds, first = np.unique(table.seeds, return_index=True)
    for seed in seeds[np.argsort(first)]:
        rows = np.flatnonzero(table.seeds == seed)
        yield _Part(arm, int(seed), table, rows, scores[rows])


def _read_scores(table: ItemTable, metric: str) -> np.ndarray:
    """The scores [N] of rows, NaN where a row has none.

    Raises:
        DataError: one is no number.
    """
    values = table.values.get(metric)
    if values is None:
        return np.full(len(table), np.nan)
    odd = np.flatnonzero(values.odd_codes >= 0)
    if len(odd):
        _refuse_score(values.get(odd[0]), metric, table[int(odd[0])].item, table.places[odd[0]])
    return values.numbers


def _refuse_score(value: object, metric: str, item: str, where: str) -> None:
    if isinstance(value, Parts):
        raise DataError(
            f"{metric} of item {item!r} is not a number but {value.shown!r}",
            where=where,
            expected="a score for each item: parts of a corpus metric cannot be compared item by item",
            fix="choose a per-item metric: --metric acc, or exact_match",
        )
    parse_score(value, where)


def _number_names(
    names: Sequence[pa.LargeBinaryArray | None], parts: Sequence[_Part]
) -> tuple[list[np.ndarray], pa.LargeBinaryArray]:
    """By part, numbers [n] of its rows' names, -1 for none; and the names as they first come."""
    taken = [
        pa.nulls(len(part.rows), pa.large_binary()) if of is None else of.take(pa.array(part.rows))
        for of, part in zip(names, parts, strict=True)
    ]
    encoded = pa.concat_arrays(taken).dictionary_encode()
    codes = encoded.indices.fill_null(_NONE).to_numpy()
    ends = np.cumsum([len(part.rows) for part in parts])[:-1]
    return np.split(codes, ends), encoded.dictionary


def _check_once(part: _Part, items: np.ndarray, names: pa.LargeBinaryArray) -> None:
    """See that no item is there twice in one run."""
    _, first, which = np.unique(items, return_index=True, return_inverse=True)
    if len(first) == len(items):
        return
    again = int(np.setdiff1d(np.arange(len(items)), first)[0])
    earlier = first[which[again]]
    raise DataError(
        f"{part.arm} has item {read_name(names, int(items[again]))!r} twice with seed {part.seed}, "
        f"first at {part.table.places[part.rows[earlier]]}",
        where=part.table.places[part.rows[again]],
        expected="one score for each arm, seed and item",
    )


def list_scores(read: ItemRuns) -> tuple[np.ndarray, Callable[[int], str]]:
    """All scores that are there, and where each stands."""
    runs = [run for by_seed in read.by_arm.values() for run in by_seed.values()]
    known = [np.flatnonzero(~np.isnan(run.scores)) for run in runs]
    known = [items[np.argsort(run.rows[items])] for items, run in zip(known, runs, strict=True)]
    starts = np.cumsum([0, *(len(items) for items in known)])

    def locate(place: int) -> str:
        run = int(np.searchsorted(starts, place, side="right")) - 1
        return runs[run].locate(int(known[run][place - starts[run]]))

    return np.concatenate([run.scores[items] for run, items in zip(runs, known, strict=True)]), locate


def find_item_groups(read: ItemRuns, runs: RunsByArm, items: np.ndarray) -> np.ndarray | None:
    """Of which group each of `items` is, [N]; None where each is by itself.

    Raises:
        HeadstartError: an item is of two groups, or all are of one.
    """
    if read.groups is None:
        return None
    of_item = np.full(len(items), _NONE)
    for run in (run for by_seed in runs.values() for run in by_seed.values() if run.groups is not None):
        found = np.full(len(items), _NONE) if run.groups is None else run.groups[items]
        other = np.flatnonzero((found >= 0) & (of_item >= 0) & (found != of_item))
        if len(other):
            place = other[0]
            raise HeadstartError(
                f"item {read_name(read.items, int(items[place]))!r} is of group "
                f"{read_name(read.groups, int(found[place]))!r}, elsewhere of "
                f"{read_name(read.groups, int(of_item[place]))!r}",
                where=run.locate(int(items[place])),
                expected="one group for each item",
            )
        of_item = np.where(of_item >= 0, of_item, found)
    return _order_groups(read.groups, read.items, of_item, items)


def _order_groups(
    groups: pa.LargeBinaryArray, names: pa.LargeBinaryArray, of_item: np.ndarray, items: np.ndarray
) -> np.ndarray | None:
    """Groups numbered by the order of their names; an item without one has a name of its own."""
    import pyarrow.compute as pc  # which takes a tenth of a second, and only groups need it

    is_alone = of_item < 0
    alone = [f"item {read_name(names, int(item))}" for item in items[is_alone]]
    encoded = pc.replace_with_mask(
        groups.take(pa.array(of_item, mask=is_alone)),
        pa.array(is_alone),
        pa.array([name.encode("utf-8", "surrogatepass") for name in alone], pa.large_binary()),
    ).dictionary_encode()
    if len(encoded.dictionary) == 1:
        raise HeadstartError(
            f"all {len(items):,} items are of group {read_name(encoded.dictionary, 0)!r}",
            where="the items",
            expected="two or more groups: variation between groups cannot be estimated from one",
        )
    if len(encoded.dictionary) == len(items):
        return None
    rank = np.argsort(pc.sort_indices(encoded.dictionary).to_numpy())
    return np.asarray(rank[encoded.indices.to_numpy()])
