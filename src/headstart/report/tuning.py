"""Chooses each tuned arm's setting on valid and tells where a grid may end too soon; never asks the test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from headstart.config.expand import Setting, axes, grid
from headstart.config.metrics import better
from headstart.config.study import Size, Study
from headstart.records import GridRow, Notice, RunRecord
from headstart.stats.summary import summarise

#: How tables call what is tuned.
SHORT: Final = {"learning_rate": "rate", "weight_decay": "decay"}
Runs = Mapping[tuple[str, Size, Setting], Sequence[RunRecord]]


def rule(metric: str) -> str:
    """How a tuned arm's setting is chosen, in words."""
    return (
        f"for each arm and size, the setting with the best mean valid {metric} over seeds, of equals the "
        "earlier in the grid; one that lacks a seed only where all do"
    )


def in_words(setting: Mapping[str, float]) -> str:
    """`rate 0.0001, decay 0.1`."""
    return ", ".join(f"{SHORT[name]} {value:g}" for name, value in setting.items())


def grid_rows(study: Study, records: Sequence[RunRecord]) -> Iterator[GridRow]:
    """Every setting that the tuned arms try, the chosen ones marked."""
    runs: defaultdict[tuple[str, Size, Setting], list[RunRecord]] = defaultdict(list)
    for record in records:
        runs[record.arm, record.size, tuple(record.setting.items())].append(record)
    for size in study.sizes:
        for name, arm in study.arms.items():
            if axes(study, arm):
                yield from _marked(study.metric, [_row(study, runs, name, size, p) for p in grid(study, arm)])


def _row(study: Study, runs: Runs, arm: str, size: Size, point: Setting) -> GridRow:
    metric, all_runs = study.metric, runs.get((arm, size, point), ())
    valid = [record.valid[metric] for record in all_runs if record.status == "done" and record.valid]
    figures = summarise(np.array(valid)) if valid else None
    return GridRow(
        arm=arm,
        size=size,
        setting=dict(point),
        metric=metric,
        n=len(valid),
        mean=figures.mean if figures else None,
        std=figures.std if figures else None,
        failed=sum(record.status == "failed" for record in all_runs),
        chosen=False,
    )


def _marked(metric: str, rows: Sequence[GridRow]) -> list[GridRow]:
    """The rows of one arm and size with the chosen one marked: none where no run ended."""
    most = max(row.n for row in rows)
    best: GridRow | None = None
    for row in rows:
        # The most seeds are all of them where any setting is whole.
        if row.n == most and row.mean is not None:
            best = row if best is None or better(metric, row.mean, best.mean) else best
    return [row.model_copy(update={"chosen": True}) if row is best else row for row in rows]


def best_run(
    study: Study, records: Sequence[RunRecord], rows: Sequence[GridRow], arm: str
) -> RunRecord | None:
    """The tuned arm's run with the best valid metric among those of its chosen settings."""
    chosen = [(row.size, row.setting) for row in rows if row.arm == arm and row.chosen]
    best: RunRecord | None = None
    for record in sorted(records, key=lambda r: r.key):
        mine = record.arm == arm and (record.size, record.setting) in chosen and record.status == "done"
        if mine and record.valid and (best is None or _beats(study.metric, record, best)):
            best = record
    return best


def _beats(metric: str, record: RunRecord, other: RunRecord) -> bool:
    assert record.valid is not None
    assert other.valid is not None
    return better(metric, record.valid[metric], other.valid[metric])


def edges(study: Study, rows: Sequence[GridRow]) -> Iterator[Notice]:
    """A notice for each chosen value that ends its grid: the best may lie beyond."""
    for row in rows:
        for name, values in axes(study, study.arms[row.arm]).items() if row.chosen else ():
            side = _side(row.setting[name], values)
            if side:
                where = row.arm if len(study.sizes) == 1 else f"{row.arm} ({row.size} texts)"
                yield Notice(
                    kind="grid-edge", text=f"{where}: the best {name}, {row.setting[name]:g}, is {side}"
                )


def _side(value: float, values: Sequence[float]) -> str | None:
    if len(values) < 2:
        return None
    if value == max(values):
        return "the largest tried; a larger one may be better still"
    # Nothing is smaller than no weight decay.
    return "the smallest tried; a smaller one may be better still" if 0 < value == min(values) else None
