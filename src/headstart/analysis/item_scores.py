"""Scores of arms item by item from the files of others: the same items in every arm, by one metric."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from headstart.analysis.item_files.base import ItemFile
from headstart.analysis.item_files.names import read_name
from headstart.analysis.item_runs import (
    ItemRun,
    RunsByArm,
    find_item_groups,
    list_scores,
    read_item_runs,
)
from headstart.analysis.item_sources import (
    NamedPath,
    choose_metric,
    describe_tasks,
    open_item_files,
)
from headstart.analysis.score_files import find_scale
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import MetricInfo, find_metric, settle_metric
from headstart.errors import HeadstartError
from headstart.stats.measures import MeanMeasure

#: Items that a message names.
_LISTED: Final = 5
#: Names that are hashed at a time.
_HASHED: Final = 1 << 16


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
    read = read_item_runs(chosen, name)
    scale = find_scale(info, *list_scores(read))
    seeds_note, runs = _align_seeds(read.by_arm)
    items_note, items = _choose_items(runs, read.items, shared_items)
    groups = find_item_groups(read, runs, items)
    digest = _hash_names(read.items, items)
    return ItemScores(
        scores=tuple(_make_scores(arm, of, items, groups, scale, digest) for arm, of in runs.items()),
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


def _align_seeds(runs: RunsByArm) -> tuple[list[str], RunsByArm]:
    """The runs, single ones with the same number whatever their seeds; a sentence where no seed is shared.

    Runs of other seeds are never paired: a verdict would depend on which with which.
    """
    if set.intersection(*(set(by_seed) for by_seed in runs.values())):
        return [], runs
    if all(len(by_seed) == 1 for by_seed in runs.values()):
        return [], {arm: {0: next(iter(by_seed.values()))} for arm, by_seed in runs.items()}
    return ["No seed is common to all arms, so runs are not paired on these items."], runs


def _choose_items(
    runs: RunsByArm, names: pa.LargeBinaryArray, shared_items: bool
) -> tuple[list[str], np.ndarray]:
    """Items with a score in every run of every arm, in the first arm's order, and what to say of others."""
    scored = {arm: np.all([~np.isnan(run.scores) for run in of.values()], axis=0) for arm, of in runs.items()}
    shared = np.flatnonzero(np.all(list(scored.values()), axis=0))
    lacking = {arm: np.flatnonzero(~has) for arm, has in scored.items() if not has.all()}
    described = "; ".join(
        f"{arm} lacks {len(items):,} ({_list_names(names, items)})" for arm, items in lacking.items()
    )
    if len(shared) < 2:
        raise HeadstartError(
            f"{len(shared)} items that all arms have: {described or 'fewer than two items'}",
            where="the items",
            expected="the same items in every file, known by the same names",
        )
    if described and not shared_items:
        raise HeadstartError(
            f"arms were tested on different items: {described}",
            where="the items",
            expected=f"the same {len(names):,} items in every arm",
            fix=f"--shared-items, to compare only the {len(shared):,} that all have",
        )
    note = f"Compared on {len(shared):,} of {len(names):,} items, those that all arms have: {described}."
    return ([note] if described else []), shared


def _list_names(names: pa.LargeBinaryArray, items: np.ndarray) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(str(read_name(names, item)) for item in items[:_LISTED])
    return shown + (f" and {len(items) - _LISTED:,} more" if len(items) > _LISTED else "")


def _hash_names(names: pa.LargeBinaryArray, items: np.ndarray) -> str:
    """SHA-256 of the names, with a NUL between."""
    digest = hashlib.sha256()
    for start in range(0, len(items), _HASHED):
        part = names.take(pa.array(items[start : start + _HASHED])).to_pylist()
        digest.update((b"\0" if start else b"") + b"\0".join(part))
    return digest.hexdigest()


def _make_scores(
    arm: str,
    by_seed: Mapping[int, ItemRun],
    items: np.ndarray,
    groups: np.ndarray | None,
    scale: float,
    digest: str,
) -> ArmScores:
    measures = {seed: MeanMeasure(run.scores[items] / scale) for seed, run in by_seed.items()}
    return ArmScores(
        arm=arm,
        size="all",
        train_examples=None,
        by_seed={seed: float(measure.by_example.mean()) for seed, measure in measures.items()},
        measures=measures,
        test_digest=digest,
        n_examples=len(items),
        groups=groups,
    )
