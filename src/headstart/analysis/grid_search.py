"""Tells of each tuned arm's grid, and which point valid chose; warns of what a choice makes doubtful."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from headstart.config.arm_settings import GridPoint, get_grid_axes, get_tuning_seeds
from headstart.config.metrics import is_better
from headstart.config.runs import Cell
from headstart.config.study import Study
from headstart.planning.tuning import GridScores, collect_grid_scores, leaves_out
from headstart.records import GridRow, JudgedPoint, RunRecord, StudyWarning
from headstart.stats.summary import summarise_values

#: What is said of figures at points that are chosen seed by seed.
LEFT_OUT: Final = "chosen without the seed it is evaluated on"
#: Of scores of arms whose grid points the judging seeds themselves chose.
OPTIMISTIC: Final = "the same seeds evaluate it, so scores are optimistic"


def describe_choice(study: Study) -> str:
    """How the grid points of the study's tuned arms are chosen, in words; arms may differ in it.

    Empty where nothing is tuned.
    """
    ways = defaultdict(list)
    for name, arm in study.arms.items():
        if get_grid_axes(study, arm):
            ways[_describe_way(study, get_tuning_seeds(study, arm))].append(name)
    return "; ".join(way if len(ways) == 1 else f"{', '.join(arms)}: {way}" for way, arms in ways.items())


def _describe_way(study: Study, tuning_seeds: Sequence[int]) -> str:
    whose = "tuning seeds, which are not used for evaluation" if tuning_seeds else "seeds"
    rule = (
        f"for each arm and size, the grid point with the best mean valid {study.metric} over {whose}; "
        "ties go to the earlier point, and a point that lacks a seed counts only if all do"
    )
    if leaves_out(study.seeds, is_shared=not tuning_seeds):
        return f"{rule}; each seed is evaluated at the point that the other seeds choose, {LEFT_OUT}"
    return rule if tuning_seeds else f"{rule}; {OPTIMISTIC}"


def list_grid_rows(study: Study, records: Sequence[RunRecord]) -> Iterator[GridRow]:
    """Every grid point that the tuned arms try, the chosen ones marked."""
    by_key = {record.key: record for record in records}
    for cell, scores in collect_grid_scores(study, records).items():
        chosen = scores.choose()
        for point, keys in zip(scores.points, scores.keys, strict=True):
            of_point = [by_key[key] for key in keys if key in by_key]
            yield _make_grid_row(study.metric, cell, point, of_point, is_chosen=point == chosen)


def _make_grid_row(
    metric: str, cell: Cell, point: GridPoint, of_point: Sequence[RunRecord], *, is_chosen: bool
) -> GridRow:
    valid = [record.valid[metric] for record in of_point if record.status == "done" and record.valid]
    figures = summarise_values(np.array(valid)) if valid else None
    return GridRow(
        arm=cell[0],
        size=cell[1],
        hyperparameters=dict(point),
        metric=metric,
        n_seeds=len(valid),
        mean=figures.mean if figures else None,
        std=figures.std if figures else None,
        n_failed=sum(record.status == "failed" for record in of_point),
        chosen=is_chosen,
    )


def list_judged_points(scores: Mapping[Cell, GridScores]) -> Iterator[JudgedPoint]:
    """The grid point at which each seed of each tuned arm is judged, where one was chosen for it."""
    for (arm, size), of_cell in scores.items():
        for seed, point in of_cell.choose_for_each().items():
            if point is not None:
                yield JudgedPoint(arm=arm, size=size, seed=seed, hyperparameters=dict(point))


def find_best_run(
    study: Study, records: Sequence[RunRecord], rows: Sequence[GridRow], arm: str
) -> RunRecord | None:
    """The tuned arm's judged run with the best valid metric among those of its chosen grid points."""
    chosen = [(row.size, row.hyperparameters) for row in rows if row.arm == arm and row.chosen]
    best: RunRecord | None = None
    for record in sorted(records, key=lambda r: r.key):
        is_candidate = (
            record.arm == arm
            and not record.for_tuning
            and (record.size, record.hyperparameters) in chosen
            and record.status == "done"
            and record.valid
        )
        if is_candidate and (best is None or _beats(study.metric, record, best)):
            best = record
    return best


def _beats(metric: str, record: RunRecord, other: RunRecord) -> bool:
    assert record.valid is not None
    assert other.valid is not None
    return is_better(metric, record.valid[metric], other.valid[metric])


def warn_of_flattered_arms(study: Study) -> Iterator[StudyWarning]:
    """A warning for arms whose setting was chosen by the very seeds that judge it."""
    flattered = [
        name
        for name, arm in study.arms.items()
        if np.prod([len(values) for values in get_grid_axes(study, arm).values()] or [0]) > 1
        and not get_tuning_seeds(study, arm)
        and not leaves_out(study.seeds, is_shared=True)
    ]
    if flattered:
        yield StudyWarning(
            kind="chosen-by-its-judges",
            message=f"{', '.join(flattered)}: the seeds that chose the grid point also "
            "evaluate it, so scores are optimistic; leave tune.seeds at its default, "
            "or run three seeds or more",
        )


def warn_of_grid_edges(study: Study, rows: Sequence[GridRow]) -> Iterator[StudyWarning]:
    """A warning for each chosen value that ends its grid: the best may lie beyond."""
    for row in (row for row in rows if row.chosen):
        means = {other.mean for other in rows if (other.arm, other.size) == (row.arm, row.size)}
        is_best = len(means) > 1  # of points that tie none is
        for name, values in get_grid_axes(study, study.arms[row.arm]).items() if is_best else ():
            side = _describe_edge(row.hyperparameters[name], values)
            if side:
                where = row.arm if len(study.sizes) == 1 else f"{row.arm} (size {row.size})"
                yield StudyWarning(
                    kind="grid-edge",
                    message=f"{where}: the best {name}, {row.hyperparameters[name]:g}, is {side}",
                )


def _describe_edge(value: float, values: Sequence[float]) -> str | None:
    if len(values) < 2:
        return None
    if value == max(values):
        return "the largest tried; a larger one may be better still"
    # Nothing is smaller than no weight decay.
    return "the smallest tried; a smaller one may be better still" if 0 < value == min(values) else None
