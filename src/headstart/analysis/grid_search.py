"""Chooses each tuned arm's grid point on valid and warns of a best value at an edge; never uses the test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from headstart.config.arm_settings import GridPoint, get_grid_axes, list_grid_points
from headstart.config.metrics import is_better
from headstart.config.study import Size, Study
from headstart.records import GridRow, RunRecord, StudyWarning
from headstart.stats.summary import summarise_values

_RunsByPoint = Mapping[tuple[str, Size, GridPoint], Sequence[RunRecord]]


def describe_choice(metric: str) -> str:
    """How a tuned arm's grid point is chosen, in words."""
    return (
        f"for each arm and size, the grid point with the best mean valid {metric} over seeds, of equals the "
        "earlier in the grid; one that lacks a seed only where all do"
    )


def list_grid_rows(study: Study, records: Sequence[RunRecord]) -> Iterator[GridRow]:
    """Every grid point that the tuned arms try, the chosen ones marked."""
    runs: defaultdict[tuple[str, Size, GridPoint], list[RunRecord]] = defaultdict(list)
    for record in records:
        runs[record.arm, record.size, tuple(record.hyperparameters.items())].append(record)
    for size in study.sizes:
        for name, arm in study.arms.items():
            if get_grid_axes(study, arm):
                yield from _mark_chosen(
                    study.metric,
                    [
                        _make_grid_row(study, runs, name, size, point)
                        for point in list_grid_points(study, arm)
                    ],
                )


def _make_grid_row(study: Study, runs: _RunsByPoint, arm: str, size: Size, point: GridPoint) -> GridRow:
    metric, of_point = study.metric, runs.get((arm, size, point), ())
    valid = [record.valid[metric] for record in of_point if record.status == "done" and record.valid]
    figures = summarise_values(np.array(valid)) if valid else None
    return GridRow(
        arm=arm,
        size=size,
        hyperparameters=dict(point),
        metric=metric,
        n_seeds=len(valid),
        mean=figures.mean if figures else None,
        std=figures.std if figures else None,
        n_failed=sum(record.status == "failed" for record in of_point),
        chosen=False,
    )


def _mark_chosen(metric: str, rows: Sequence[GridRow]) -> list[GridRow]:
    """The rows of one arm and size with the chosen one marked: none where no run ended."""
    most_seeds = max(row.n_seeds for row in rows)
    best: GridRow | None = None
    for row in rows:
        # The most seeds are all of them where any grid point has all.
        if row.n_seeds == most_seeds and row.mean is not None:
            best = row if best is None or is_better(metric, row.mean, best.mean) else best
    return [row.model_copy(update={"chosen": True}) if row is best else row for row in rows]


def find_best_run(
    study: Study, records: Sequence[RunRecord], rows: Sequence[GridRow], arm: str
) -> RunRecord | None:
    """The tuned arm's run with the best valid metric among those of its chosen grid points."""
    chosen = [(row.size, row.hyperparameters) for row in rows if row.arm == arm and row.chosen]
    best: RunRecord | None = None
    for record in sorted(records, key=lambda r: r.key):
        is_candidate = (
            record.arm == arm
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


def warn_of_grid_edges(study: Study, rows: Sequence[GridRow]) -> Iterator[StudyWarning]:
    """A warning for each chosen value that ends its grid: the best may lie beyond."""
    for row in rows:
        for name, values in get_grid_axes(study, study.arms[row.arm]).items() if row.chosen else ():
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
