"""Divides rows into parts, and training texts into nested subsets; every division is a function of a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from headstart.config.study import Size, Split
from headstart.data.corpus import PARTS, Examples, Part, Row
from headstart.errors import DataError
from headstart.seeds import make_generator


def split_rows(rows: dict[Part, list[Row]], rule: Split, *, stratify: bool) -> dict[Part, list[Row]]:
    """All three parts: those given, and those not given split off the training rows.

    With `stratify` each part gets the same share of each label. Where rows have groups, groups stay whole.

    Raises:
        DataError: too few rows, or too few groups, to leave something in every part.
    """
    wanted: dict[Part, float] = {"valid": rule.valid, "test": rule.test}
    part_shares = {part: share for part, share in wanted.items() if part not in rows}
    if not part_shares:
        return rows
    grouped = any(row.group is not None for row in rows["train"])
    split = _split_by_group if grouped else _split_by_row
    parts = split(rows["train"], part_shares, rule.seed, stratify=stratify)
    if not all(parts.values()):
        what = "groups" if grouped else "rows"
        raise DataError(
            f"{len(rows['train'])} rows are too few {what} to split into {', '.join(parts)}",
            where="data.split",
            fix="give more rows, or name a file for each part",
        )
    return {part: parts.get(part, rows.get(part, [])) for part in PARTS}


def _split_by_row(
    rows: list[Row], part_shares: dict[Part, float], seed: int, *, stratify: bool
) -> dict[Part, list[Row]]:
    strata = [str(row.label) if stratify else "" for row in rows]
    order = draw_stratified_order(strata, make_generator(seed, "split"))
    return _cut_parts([rows[i] for i in order], part_shares)


def _cut_parts(rows: list[Row], part_shares: dict[Part, float]) -> dict[Part, list[Row]]:
    """Consecutive pieces of `rows` for `part_shares`; training gets what is left; each in source order."""
    parts: dict[Part, list[Row]] = {}
    start = 0
    for part, share in part_shares.items():
        stop = start + round(share * len(rows))
        parts[part] = rows[start:stop]
        start = stop
    parts["train"] = rows[start:]
    return {part: sorted(chosen, key=lambda row: row.id) for part, chosen in parts.items()}


def _split_by_group(
    rows: list[Row], part_shares: dict[Part, float], seed: int, *, stratify: bool
) -> dict[Part, list[Row]]:
    """Groups in random order, each to the first part that still wants it; classes balance on average."""
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        members[str(row.group)].append(row)
    names = sorted(members)
    wanted = {part: share * len(rows) for part, share in part_shares.items()}
    parts: dict[Part, list[Row]] = {**{part: [] for part in part_shares}, "train": []}
    for i in make_generator(seed, "split").permutation(len(names)):
        group = members[names[i]]
        part: Part = next((p for p in wanted if len(parts[p]) + len(group) / 2 <= wanted[p]), "train")
        parts[part].extend(group)
    return {part: sorted(chosen, key=lambda row: row.id) for part, chosen in parts.items()}


def draw_stratified_order(strata: Sequence[Hashable], draws: np.random.Generator) -> np.ndarray:
    """A random order of the indices 0..N-1, shape [N], each of whose prefixes is stratified.

    The i-th member (in random order) of a stratum with n members is placed near (i + 1/2) / n, so a prefix
    of length m holds about m * n / N of them: prefixes are nested subsets with the whole's proportions.
    """
    shuffled = draws.permutation(len(strata))
    totals: dict[Hashable, int] = defaultdict(int)
    for stratum in strata:
        totals[stratum] += 1
    seen: dict[Hashable, int] = defaultdict(int)
    place = np.empty(len(strata))
    for position, i in enumerate(shuffled):
        place[position] = (seen[strata[i]] + 0.5) / totals[strata[i]]
        seen[strata[i]] += 1
    # Equal places (equal strata) keep the shuffled order, for a stable sort does.
    return np.asarray(shuffled[np.argsort(place, kind="stable")])


def draw_subset(train: Examples, size: Size, seed: int) -> np.ndarray:
    """Indices, shape [n] and ascending, of a run's training texts: for one seed, each size holds the smaller.

    Stratified where labels are class numbers.
    """
    if size == "all":
        return np.arange(len(train))
    return np.sort(draw_stratified_order(list_strata(train), make_generator(seed, "subset"))[:size])


def list_strata(train: Examples) -> list[int]:
    """What divisions are stratified by: class numbers, or one stratum where labels are none."""
    by_class = train.labels.ndim == 1 and train.labels.dtype == np.int64
    return train.labels.tolist() if by_class else [0] * len(train)
