"""What an arm's training labels, and its updates, are worth in those of its control."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.analysis.scores import ArmScores, pair_scores, stack_known
from headstart.config.metrics import MetricInfo
from headstart.config.sizes import Size
from headstart.records import BeyondRange, RunRecord, WorthRow
from headstart.stats.worth import LearningCurve, Worth, estimate_worth, find_wide_gaps

#: Infinite is more than the control's largest amount, zero less than its smallest.
_BEYOND: Final[dict[float, BeyondRange]] = {math.inf: "more than the largest", 0.0: "less than the smallest"}


@dataclass(frozen=True)
class WorthTables:
    """Worth in labels, of test scores, and in updates, of valid scores."""

    labels: tuple[WorthRow, ...] = ()
    steps: tuple[WorthRow, ...] = ()


def estimate_worths(
    scores: Sequence[ArmScores], runs: Sequence[RunRecord], control: str, metric: MetricInfo, seed: int
) -> WorthTables:
    """In labels, of the scores, and in updates, of the runs; `seed` is of the bootstrap."""
    generator = np.random.default_rng(seed)
    labels = tuple(list_label_worths(scores, control, metric, generator))
    return WorthTables(labels, tuple(list_step_worths(runs, control, metric, generator)))


def list_label_worths(
    scores: Sequence[ArmScores], control: str, metric: MetricInfo, generator: np.random.Generator
) -> Iterator[WorthRow]:
    """Of each arm that was run with several numbers of labels, over the seeds that all of these have."""
    # The control's numbers: where each seed draws its texts, arms whose seeds failed differ by a few.
    of_size = {row.size: row.train_examples for row in scores if row.arm == control and row.train_examples}
    for arm in dict.fromkeys(arm_scores.arm for arm_scores in scores):
        mine, theirs = (
            {of_size[row.size]: row for row in scores if row.arm == name and row.size in of_size}
            for name in (arm, control)
        )
        labels = sorted(n for n in mine if n in theirs)
        if arm == control or len(labels) < 2:
            continue
        cells = [[by_labels[n] for n in labels] for by_labels in (mine, theirs)]
        seeds = sorted(set.intersection(*(set(cell.by_seed) for row in cells for cell in row)))
        if seeds:
            curve, control_curve = _make_label_curves(np.array(labels), cells, seeds)
            worths = estimate_worth(curve, control_curve, generator, lower_is_better=metric.lower_is_better)
            for worth, cell in zip(worths, cells[0], strict=True):
                yield _make_worth_row(worth, cell.arm, cell.size, control, labels, metric)


def _make_label_curves(
    labels: np.ndarray, cells: Sequence[Sequence[ArmScores]], seeds: Sequence[int]
) -> list[LearningCurve]:
    """Both curves; with examples where all of them were tested on the same and each has parts by example."""
    paired = pair_scores([cell for row in cells for cell in row], seeds)
    rows = paired[: len(labels)], paired[len(labels) :]
    return [
        LearningCurve(
            labels,
            np.array([paired_scores.by_seed for paired_scores in row]),
            stack_known([paired_scores.by_example for paired_scores in row]),
            paired[0].groups,  # which all of them share
        )
        for row in rows
    ]


def list_step_worths(
    runs: Sequence[RunRecord], control: str, metric: MetricInfo, generator: np.random.Generator
) -> Iterator[WorthRow]:
    """How many updates the control needs, with as many labels, for the valid score that an arm ends with.

    Of both the best score so far counts, as the best epoch does; a run that ended early keeps its own.

    Args:
        runs: those that ended, of each tuned arm at its chosen grid point alone.
    """
    by_cell: dict[tuple[str, Size], dict[int, RunRecord]] = {}
    for run in runs:
        by_cell.setdefault((run.arm, run.size), {})[run.seed] = run
    for (arm, size), mine in by_cell.items():
        theirs = by_cell.get((control, size), {})
        seeds = sorted(mine.keys() & theirs.keys())
        steps = max((_list_epoch_steps(theirs[seed]) for seed in seeds), key=len, default=())
        if arm == control or len(steps) < 2:
            continue
        best = _accumulate_best([mine[seed] for seed in seeds], metric)
        last_step = max((step for seed in seeds for step in _list_epoch_steps(mine[seed])), default=0)
        control_curve = LearningCurve(
            np.array(steps), _accumulate_best([theirs[seed] for seed in seeds], metric)
        )
        if best.size and np.isfinite(best).all() and np.isfinite(control_curve.by_seed).all():
            (worth,) = estimate_worth(
                LearningCurve(np.array([last_step]), best[-1:]),
                control_curve,
                generator,
                lower_is_better=metric.lower_is_better,
            )
            yield _make_worth_row(worth, arm, size, control, steps, metric)


def _list_epoch_steps(run: RunRecord) -> tuple[int, ...]:
    return tuple(epoch.step for epoch in run.epochs)


def _accumulate_best(runs: Sequence[RunRecord], metric: MetricInfo) -> np.ndarray:
    """The best valid score after each epoch [K, S]; one epoch for a run that has none."""
    rows = [[epoch.valid.get(metric.name, math.nan) for epoch in run.epochs] for run in runs]
    rows = [
        row or [(run.valid or {}).get(metric.name, math.nan)] for row, run in zip(rows, runs, strict=True)
    ]
    longest = max(map(len, rows))
    values = np.array([row + row[-1:] * (longest - len(row)) for row in rows], float)
    best = np.fmin if metric.lower_is_better else np.fmax
    return np.asarray(best.accumulate(values, axis=1).T)


def _make_worth_row(
    worth: Worth, arm: str, size: Size, control: str, amounts: Sequence[int], metric: MetricInfo
) -> WorthRow:
    """With what lies beyond the control's `amounts` in words instead of infinity and zero."""
    return WorthRow(
        arm=arm,
        control=control,
        size=size,
        metric=metric.name,
        amount=worth.amount,
        score=worth.score,
        smallest=amounts[0],
        largest=amounts[-1],
        worth=_drop_beyond(worth.worth),
        worth_beyond=_describe_beyond(worth.worth),
        low=_drop_beyond(worth.low),
        low_beyond=_describe_beyond(worth.low),
        high=_drop_beyond(worth.high),
        high_beyond=_describe_beyond(worth.high),
        bootstrap_low=_drop_beyond(worth.bootstrap_low),
        bootstrap_low_beyond=_describe_beyond(worth.bootstrap_low),
        bootstrap_high=_drop_beyond(worth.bootstrap_high),
        bootstrap_high_beyond=_describe_beyond(worth.bootstrap_high),
        below_again=worth.below_again,
        wide_gaps=find_wide_gaps(amounts),
    )


def _drop_beyond(value: float | None) -> float | None:
    return None if value in _BEYOND else value


def _describe_beyond(value: float | None) -> BeyondRange:
    return None if value is None else _BEYOND.get(value)
