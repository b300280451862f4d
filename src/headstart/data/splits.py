"""Divides rows into parts, and training examples into nested subsets; each division depends on a seed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from headstart.config.sizes import Size
from headstart.config.study import Split
from headstart.data.corpus import PARTS, Examples, Part, Row
from headstart.data.row_table import RowTable, ValueColumn
from headstart.errors import DataError
from headstart.seeds import make_generator


def split_rows(rows: Mapping[Part, Sequence[Row]], rule: Split, *, stratify: bool) -> dict[Part, RowTable]:
    """All three parts: those given, and those not given split off the training rows.

    With `stratify` each part gets the same share of each label. Where rows have groups, groups stay whole.

    Raises:
        DataError: too few rows, or too few groups, to leave something in every part.
    """
    wanted: dict[Part, float] = {"valid": rule.valid, "test": rule.test}
    part_shares = {part: share for part, share in wanted.items() if part not in rows}
    tables = {part: RowTable.of(of_part) for part, of_part in rows.items()}
    if not part_shares:
        return tables
    train = tables["train"]
    grouped = any(group is not None for group in train.groups.values)
    split = _split_by_group if grouped else _split_by_row
    parts = split(train, part_shares, rule.seed, stratify=stratify)
    if not all(map(len, parts.values())):
        what = "groups" if grouped else "rows"
        raise DataError(
            f"{len(rows['train'])} rows are too few {what} to split into {', '.join(parts)}",
            where="data.split",
            fix="give more rows, or name a file for each part",
        )
    return {part: train.select(np.sort(parts[part])) if part in parts else tables[part] for part in PARTS}


def _split_by_row(
    rows: RowTable, part_shares: dict[Part, float], seed: int, *, stratify: bool
) -> dict[Part, np.ndarray]:
    names = [str(label) for label in rows.labels.values] if stratify else [""] * len(rows.labels.values)
    strata = _number(names)[rows.labels.codes]
    return _cut_parts(draw_stratified_order(strata, make_generator(seed, "split")), part_shares)


def _number(names: Sequence[Hashable]) -> np.ndarray:
    """Numbers [N] that are equal for equal names."""
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(name, len(codes)) for name in names], np.int64)


def _cut_parts(order: np.ndarray, part_shares: dict[Part, float]) -> dict[Part, np.ndarray]:
    """Consecutive pieces of the rows in `order` for `part_shares`; training gets what is left."""
    parts: dict[Part, np.ndarray] = {}
    start = 0
    for part, share in part_shares.items():
        stop = start + round(share * len(order))
        parts[part] = order[start:stop]
        start = stop
    parts["train"] = order[start:]
    return parts


def _split_by_group(
    rows: RowTable, part_shares: dict[Part, float], seed: int, *, stratify: bool
) -> dict[Part, np.ndarray]:
    """Groups in random order, each to the first part that still wants it; classes balance on average."""
    members = _list_members(rows.groups)
    wanted = {part: share * len(rows) for part, share in part_shares.items()}
    chosen: dict[Part, list[np.ndarray]] = {**{part: [] for part in part_shares}, "train": []}
    counts = dict.fromkeys(chosen, 0)
    for i in make_generator(seed, "split").permutation(len(members)):
        group = members[i]
        part: Part = next((p for p in wanted if counts[p] + len(group) / 2 <= wanted[p]), "train")
        chosen[part].append(group)
        counts[part] += len(group)
    return {part: np.concatenate([np.empty(0, np.int64), *groups]) for part, groups in chosen.items()}


def _list_members(groups: ValueColumn) -> list[np.ndarray]:
    """The indices of each group's rows, by the groups' names."""
    names = [str(name) for name in groups.values]
    rank = {name: i for i, name in enumerate(sorted(set(names)))}
    numbers = np.array([rank[name] for name in names])[groups.codes]
    order = np.argsort(numbers, kind="stable")
    return [group for group in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(group)]


def draw_stratified_order(strata: Sequence[Hashable] | np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """A random order of the indices 0..N-1, shape [N], each of whose prefixes is stratified.

    The i-th member (in random order) of a stratum with n members is placed near (i + 1/2) / n, so a prefix
    of length m holds about m * n / N of them: prefixes are nested subsets with the whole's proportions.
    """
    shuffled = draws.permutation(len(strata))
    numbers = (strata if isinstance(strata, np.ndarray) else _number(strata))[shuffled]
    # One stratum after the other, each in the shuffled order: a member's rank is its distance from the first.
    by_stratum = np.argsort(numbers, kind="stable")
    _, starts, totals = np.unique(numbers[by_stratum], return_index=True, return_counts=True)
    place = np.empty(len(numbers))
    place[by_stratum] = (np.arange(len(numbers)) - np.repeat(starts, totals) + 0.5) / np.repeat(
        totals, totals
    )
    # Equal places (equal strata) keep the shuffled order, for a stable sort does.
    return np.asarray(shuffled[np.argsort(place, kind="stable")])


def draw_subset(train: Examples, size: Size, seed: int) -> np.ndarray:
    """Indices, shape [n] and ascending, of a run's training examples; with one seed, sizes are nested.

    Stratified where labels are class numbers.
    """
    if size == "all":
        return np.arange(len(train))
    return np.sort(draw_stratified_order(list_strata(train), make_generator(seed, "subset"))[:size])


def list_strata(train: Examples) -> np.ndarray:
    """What divisions are stratified by: class numbers, or one stratum where labels are none."""
    by_class = train.labels.ndim == 1 and train.labels.dtype == np.int64
    return train.labels if by_class else np.zeros(len(train), np.int64)
