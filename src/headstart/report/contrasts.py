"""Scores held against a control's: contrasts with verdicts, and worth in labels and in updates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from headstart.config.metrics import LOWER_IS_BETTER, SHARES
from headstart.config.study import Size
from headstart.records import Beyond, Contrast, RunRecord, SeedContrast, SummaryRow, WorthRow
from headstart.report.scores import Scores, draw_texts, shared_seeds, sides, stacked, summary_row
from headstart.stats.versus import Versus, judged, versus
from headstart.stats.worth import Curve, Worth, worths

Pair = tuple[Scores, Scores, Versus]


def contrasts(
    pairs: Sequence[tuple[Scores, Scores]],
    metric: str,
    generator: np.random.Generator,
    *,
    margin: float | None = None,
    is_sequential: bool = False,
) -> tuple[Pair, ...]:
    """Those that have a seed in common, corrected for their number, with verdicts.

    Args:
        margin: points for shares, else in the metric's unit; differences within it are none that matter.
        is_sequential: as `stats.versus.judged`.
    """
    kept = [(one, against) for one, against in pairs if shared_seeds(one, against)]
    made = [_versus(one, against, generator, len(kept)) for one, against in kept]
    scaled = margin / 100 if margin is not None and metric in SHARES else margin
    lower = metric in LOWER_IS_BETTER
    final = judged(made, lower_is_better=lower, margin=scaled, is_sequential=is_sequential)
    return tuple((one, against, own) for (one, against), own in zip(kept, final, strict=True))


def _versus(one: Scores, against: Scores, generator: np.random.Generator, tests: int) -> Versus:
    mine, theirs = sides((one, against), shared_seeds(one, against))
    return versus(mine, theirs, generator, tests)


def held_against(
    found: Sequence[Scores],
    pairs: Sequence[tuple[Scores, Scores]],
    metric: str,
    seed: int,
    *,
    margin: float | None = None,
    is_sequential: bool = False,
) -> tuple[tuple[SummaryRow, ...], tuple[Pair, ...]]:
    """Scores summed up, and the pairs of them as `contrasts`; texts and seeds are drawn anew from `seed`."""
    draws = np.random.default_rng(seed)
    draw_texts(found, draws)
    made = contrasts(pairs, metric, draws, margin=margin, is_sequential=is_sequential)
    return tuple(summary_row(one, metric) for one in found), made


def worths_of(
    found: Sequence[Scores], runs: Sequence[RunRecord], control: str, metric: str, seed: int
) -> tuple[tuple[WorthRow, ...], tuple[WorthRow, ...]]:
    """In labels, of the scores, and in updates, of the runs; seeds are drawn anew from `seed`."""
    draws = np.random.default_rng(seed)
    labels = tuple(label_worths(found, control, metric, draws))
    return labels, tuple(step_worths(runs, control, metric, draws))


def against_control(found: Sequence[Scores], control: str) -> list[tuple[Scores, Scores]]:
    """Each arm and size with its control of the same size, where there is one."""
    controls = {one.size: one for one in found if one.arm == control}
    return [(one, controls[one.size]) for one in found if one.arm != control and one.size in controls]


def contrast_record(one: Scores, against: Scores, own: Versus, metric: str) -> Contrast:
    """A contrast as it goes to disk."""
    facts = own.facts
    each = zip(shared_seeds(one, against), facts.pop("each_seed"), strict=True)
    return Contrast(
        arm=one.arm,
        control=against.arm,
        size=one.size,
        metric=metric,
        each_seed=tuple(SeedContrast(seed=seed, **gap) for seed, gap in each),
        **facts,
    )


def label_worths(
    found: Sequence[Scores], control: str, metric: str, generator: np.random.Generator
) -> Iterator[WorthRow]:
    """Of each arm that was run with several numbers of labels, over the seeds that all of these have."""
    for arm in dict.fromkeys(one.arm for one in found):
        mine, theirs = ({s.labels: s for s in found if s.arm == name and s.labels} for name in (arm, control))
        labels = sorted(n for n in mine if n is not None and n in theirs)
        if arm == control or len(labels) < 2:
            continue
        cells = [[scores[n] for n in labels] for scores in (mine, theirs)]
        seeds = sorted(set.intersection(*(set(cell.by_seed) for row in cells for cell in row)))
        if seeds:
            own, against = _curves(np.array(labels), cells, seeds)
            made = worths(own, against, generator, lower_is_better=metric in LOWER_IS_BETTER)
            for one, cell in zip(made, cells[0], strict=True):
                yield _worth_row(one, cell.arm, cell.size, control, labels, metric)


def _curves(labels: np.ndarray, cells: Sequence[Sequence[Scores]], seeds: Sequence[int]) -> list[Curve]:
    """Both curves; with texts where all of them were tested on the same and each has parts by text."""
    every = sides([cell for row in cells for cell in row], seeds)
    rows = every[: len(labels)], every[len(labels) :]
    return [
        Curve(labels, np.array([one.by_seed for one in row]), stacked([one.by_text for one in row]))
        for row in rows
    ]


def step_worths(
    runs: Sequence[RunRecord], control: str, metric: str, generator: np.random.Generator
) -> Iterator[WorthRow]:
    """How many updates the control needs, with as many labels, for the valid score that an arm ends with.

    Of both the best score so far counts, as the best epoch does; a run that ended early keeps its own.

    Args:
        runs: those that ended, of each tuned arm with its chosen setting alone.
    """
    places: dict[tuple[str, Size], dict[int, RunRecord]] = {}
    for run in runs:
        places.setdefault((run.arm, run.size), {})[run.seed] = run
    lower = metric in LOWER_IS_BETTER
    for (arm, size), mine in places.items():
        theirs = places.get((control, size), {})
        seeds = sorted(mine.keys() & theirs.keys())
        steps = max((_steps(theirs[seed]) for seed in seeds), key=len, default=())
        if arm == control or len(steps) < 2:
            continue
        own = _so_far([mine[seed] for seed in seeds], metric)
        end = max((step for seed in seeds for step in _steps(mine[seed])), default=0)
        against = Curve(np.array(steps), _so_far([theirs[seed] for seed in seeds], metric))
        if own.size and np.isfinite(own).all() and np.isfinite(against.by_seed).all():
            (made,) = worths(Curve(np.array([end]), own[-1:]), against, generator, lower_is_better=lower)
            yield _worth_row(made, arm, size, control, steps, metric)


def _steps(run: RunRecord) -> tuple[int, ...]:
    return tuple(point.step for point in run.epochs)


def _so_far(runs: Sequence[RunRecord], metric: str) -> np.ndarray:
    """The best valid score after each epoch [K, S]; one epoch for a run that has none."""
    rows = [[point.valid.get(metric, math.nan) for point in run.epochs] for run in runs]
    rows = [row or [(run.valid or {}).get(metric, math.nan)] for row, run in zip(rows, runs, strict=True)]
    longest = max(map(len, rows))
    values = np.array([row + row[-1:] * (longest - len(row)) for row in rows], float)
    best = np.fmin if metric in LOWER_IS_BETTER else np.fmax
    return np.asarray(best.accumulate(values, axis=1).T)


def _worth_row(
    one: Worth, arm: str, size: Size, control: str, run_with: Sequence[int], metric: str
) -> WorthRow:
    """Infinite is more than the control's largest number, zero less than its smallest: null, and in words."""
    beyond: dict[float, Beyond] = {math.inf: "more than the largest", 0.0: "less than the smallest"}
    facts: dict[str, Any] = {}
    for name in ("worth", "low", "high", "bootstrap_low", "bootstrap_high"):
        value = getattr(one, name)
        facts[name] = None if value in beyond else value
        facts[f"{name}_beyond"] = None if value is None else beyond.get(value)
    return WorthRow(
        arm=arm,
        control=control,
        size=size,
        metric=metric,
        at=one.at,
        score=one.score,
        smallest=run_with[0],
        largest=run_with[-1],
        **facts,
    )
