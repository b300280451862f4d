"""Scores of arms item by item from the files of others: the same items in every arm, by one metric."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from headstart.analysis.cells import parse_score
from headstart.analysis.item_files.base import ItemFile, ItemRow
from headstart.analysis.item_sources import (
    NamedPath,
    choose_metric,
    describe_tasks,
    open_item_files,
)
from headstart.analysis.score_files import find_scale
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import MetricInfo, find_metric, settle_metric
from headstart.errors import DataError, HeadstartError
from headstart.stats.measures import MeanMeasure
from headstart.wording import format_names

#: Items that a message names.
_LISTED: Final = 5


@dataclass(frozen=True)
class ItemScores:
    """Scores of arms by seed and item, their metric, and sentences about what they are of.

    `has_seeds` is whether arms have several runs; else a difference is one of these very models.
    """

    scores: tuple[ArmScores, ...]
    metric: MetricInfo
    task: str | None
    notes: tuple[str, ...]

    @property
    def arms(self) -> list[str]:
        """Their names."""
        return [scores.arm for scores in self.scores]


@dataclass(frozen=True, slots=True)
class _Value:
    """A score, where it stands, and the item's group."""

    where: str
    score: float | None
    group: str | None


#: By arm, by seed, by item.
_Values = dict[str, dict[int, dict[str, _Value]]]


def read_item_scores(
    paths: Sequence[NamedPath],
    *,
    task: str | None = None,
    metric: str | None = None,
    lower_is_better: bool | None = None,
    shared_items: bool = False,
) -> ItemScores:
    """The scores of two arms or more on the same items.

    Args:
        paths: one file or folder for each arm, or a table or folder that holds several.
        task: needed where an arm has several; `metric` likewise.
        lower_is_better: what the user says of a metric that is not known.
        shared_items: whether items that an arm lacks are left out of all.

    Raises:
        HeadstartError: there are no items, or fewer than two arms; a task or metric has to be named; arms
            were tested on other items; a score cannot be read.
    """
    chosen = open_item_files(paths, task)
    name = choose_metric(chosen, metric)
    info = _settle_metric(name, chosen, lower_is_better)
    values = {arm: _read_values(arm, files, name) for arm, files in chosen.items()}
    scale = find_scale(info, [(v.where, v.score) for v in _list_values(values) if v.score is not None])
    seeds_note, values = _align_seeds(values)
    items_note, items = _choose_items(values, shared_items)
    groups = _find_groups(values, items)
    return ItemScores(
        scores=tuple(_make_scores(arm, by_seed, items, groups, scale) for arm, by_seed in values.items()),
        metric=info,
        task=", ".join(dict.fromkeys(f.task for files in chosen.values() for f in files if f.task)) or None,
        notes=(*describe_tasks(chosen), *seeds_note, *items_note),
    )


def _settle_metric(
    name: str, chosen: Mapping[str, Sequence[ItemFile]], lower_is_better: bool | None
) -> MetricInfo:
    """What is known of the metric; of `exact_match,strict-match`, a filter of lm-evaluation-harness, by its
    first part."""
    files = [file for files in chosen.values() for file in files]
    told = [file.known[name] for file in files if name in file.known]
    known = told[0] if len(told) == len(files) else find_metric(name.split(",")[0])
    return settle_metric(
        name, lower_is_better, replace(known, name=name) if known else None, str(files[0].file)
    )


def _read_values(arm: str, files: Iterable[ItemFile], metric: str) -> dict[int, dict[str, _Value]]:
    """By seed and item; no item twice."""
    by_seed: dict[int, dict[str, _Value]] = {}
    for row in (row for file in files for row in file.rows):
        items = by_seed.setdefault(row.seed, {})
        if row.item in items:
            raise DataError(
                f"{arm} has item {row.item!r} twice with seed {row.seed}, first at {items[row.item].where}",
                where=row.where,
                expected="one score for each arm, seed and item",
            )
        items[row.item] = _Value(row.where, _parse_item_score(row, metric), row.group)
    return by_seed


def _parse_item_score(row: ItemRow, metric: str) -> float | None:
    value = row.values.get(metric)
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, list | dict | tuple):
        raise DataError(
            f"{metric} of item {row.item!r} is not a number but {str(value)[:40]!r}",
            where=row.where,
            expected="a score for each item: parts of a corpus metric cannot be compared item by item",
            fix="--metric with one that each item has, such as acc or exact_match",
        )
    return parse_score(value, row.where)


def _list_values(values: _Values) -> Iterator[_Value]:
    return (value for by_seed in values.values() for items in by_seed.values() for value in items.values())


def _align_seeds(values: _Values) -> tuple[list[str], _Values]:
    """The values, single runs with the same number whatever their seeds; a sentence where no seed is shared.

    Runs of other seeds are never paired: a verdict would depend on which with which.
    """
    if set.intersection(*(set(by_seed) for by_seed in values.values())):
        return [], values
    if all(len(by_seed) == 1 for by_seed in values.values()):
        return [], {arm: {0: next(iter(by_seed.values()))} for arm, by_seed in values.items()}
    return ["No seed is in all arms: runs without a common seed are not paired, on these items."], values


def _choose_items(values: _Values, shared_items: bool) -> tuple[list[str], list[str]]:
    """Items with a score in every run of every arm, in the first arm's order, and what to say of others."""
    scored = {
        arm: set.intersection(
            *({i for i, v in items.items() if v.score is not None} for items in runs.values())
        )
        for arm, runs in values.items()
    }
    every = dict.fromkeys(item for runs in values.values() for items in runs.values() for item in items)
    shared = [item for item in every if all(item in items for items in scored.values())]
    lacking = {arm: [item for item in every if item not in items] for arm, items in scored.items()}
    described = "; ".join(
        f"{arm} lacks {len(items):,} ({format_names(items, _LISTED)})"
        for arm, items in lacking.items()
        if items
    )
    if len(shared) < 2:
        raise HeadstartError(
            f"{len(shared)} items that all arms have: {described or 'fewer than two items'}",
            where="the items",
            expected="the same items in every file, known by the same names",
        )
    if described and not shared_items:
        raise HeadstartError(
            f"arms were tested on other items: {described}",
            where="the items",
            expected=f"the same {len(every):,} items in every arm",
            fix=f"--shared-items, to compare on the {len(shared):,} that all have",
        )
    note = f"Compared on {len(shared):,} of {len(every):,} items, those that all arms have: {described}."
    return ([note] if described else []), shared


def _find_groups(values: _Values, items: Sequence[str]) -> np.ndarray | None:
    """Of which group each item is, [N]; None where each is by itself.

    Raises:
        HeadstartError: an item is of two groups, or all are of one.
    """
    of_item: dict[str, str] = {}
    for by_seed in values.values():
        for scored in by_seed.values():
            for item in items:
                value = scored[item]
                if value.group is not None and of_item.setdefault(item, value.group) != value.group:
                    raise HeadstartError(
                        f"item {item!r} is of group {value.group!r}, elsewhere of {of_item[item]!r}",
                        where=value.where,
                        expected="one group for each item",
                    )
    names = [of_item.get(item, f"item {item}") for item in items]
    _, groups = np.unique(names, return_inverse=True)
    n_groups = int(groups.max()) + 1
    if n_groups == 1:
        raise HeadstartError(
            f"all {len(items):,} items are of group {names[0]!r}",
            where="the items",
            expected="two groups or more: what varies between groups cannot be seen in one",
        )
    return None if n_groups == len(items) else np.asarray(groups)


def _make_scores(
    arm: str,
    by_seed: Mapping[int, Mapping[str, _Value]],
    items: Sequence[str],
    groups: np.ndarray | None,
    scale: float,
) -> ArmScores:
    measures = {
        seed: MeanMeasure(np.array([scored[item].score for item in items], float) / scale)
        for seed, scored in by_seed.items()
    }
    return ArmScores(
        arm=arm,
        size="all",
        train_examples=None,
        by_seed={seed: float(measure.by_example.mean()) for seed, measure in measures.items()},
        measures=measures,
        test_digest=hashlib.sha256("\0".join(items).encode("utf-8", "surrogatepass")).hexdigest(),
        n_examples=len(items),
        groups=groups,
    )
