"""Which grid points tuned arms have by the records so far, and so which runs a study needs now and later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.config.arm_settings import (
    GridPoint,
    get_choosing_seeds,
    get_grid_axes,
    get_tuning_seeds,
    list_grid_points,
)
from headstart.config.metrics import LOWER_IS_BETTER
from headstart.config.runs import Cell, Run, expand_runs
from headstart.config.study import Study
from headstart.records import RunRecord, format_run_key
from headstart.stats.grid_choice import choose_setting, choose_without_each

#: Fewest seeds among which each can be judged at the point that the others choose.
_MIN_SEEDS_TO_LEAVE_OUT: Final = 3


@dataclass(frozen=True)
class GridScores:
    """Valid scores of a tuned arm at one size, [P points, S seeds] that choose; NaN where no run ended.

    `keys` [P][S] name the runs. `judges` are the study's own seeds, `is_shared` says that they choose too.
    """

    points: tuple[GridPoint, ...]
    keys: tuple[tuple[str, ...], ...]
    scores: np.ndarray
    lower_is_better: bool
    judges: tuple[int, ...]
    is_shared: bool

    def choose(self) -> GridPoint | None:
        """The point that all the seeds choose; None where no run ended."""
        return self._find(choose_setting(self.scores, lower_is_better=self.lower_is_better))

    def choose_for_each(self) -> dict[int, GridPoint | None]:
        """The point at which each of the study's seeds is judged.

        Where these choose too, and are three or more, it is the one that the others choose.
        """
        if not leaves_out(self.judges, is_shared=self.is_shared):
            return dict.fromkeys(self.judges, self.choose())
        chosen = choose_without_each(self.scores, lower_is_better=self.lower_is_better)
        return {seed: self._find(i) for seed, i in zip(self.judges, chosen, strict=True)}

    def _find(self, i: int | None) -> GridPoint | None:
        return None if i is None else self.points[i]


def leaves_out(judges: tuple[int, ...], *, is_shared: bool) -> bool:
    """Whether each seed is judged at the point that the others choose."""
    return is_shared and len(judges) >= _MIN_SEEDS_TO_LEAVE_OUT


def collect_grid_scores(study: Study, records: Iterable[RunRecord]) -> dict[Cell, GridScores]:
    """Of each tuned arm at each size, size by size; of runs that only choose where there are such."""
    by_key = {record.key: record for record in records}
    return {
        (name, size): _collect_scores(study, (name, size), by_key)
        for size in study.sizes
        for name, arm in study.arms.items()
        if get_grid_axes(study, arm)
    }


def _collect_scores(study: Study, cell: Cell, by_key: Mapping[str, RunRecord]) -> GridScores:
    name, size = cell
    arm = study.arms[name]
    is_shared, points = not get_tuning_seeds(study, arm), list_grid_points(study, arm)
    keys = tuple(
        tuple(
            format_run_key(name, size, seed, point, for_tuning=not is_shared)
            for seed in get_choosing_seeds(study, arm)
        )
        for point in points
    )
    return GridScores(
        points=points,
        keys=keys,
        scores=np.array([[_get_score(by_key.get(key), study.metric) for key in row] for row in keys]),
        lower_is_better=study.metric in LOWER_IS_BETTER,
        judges=study.seeds,
        is_shared=is_shared,
    )


def _get_score(record: RunRecord | None, metric: str) -> float:
    if record is None or record.status == "failed" or record.valid is None:
        return np.nan
    return record.valid[metric]


def find_needed_runs(study: Study, records: Iterable[RunRecord]) -> tuple[Run, ...]:
    """The runs that are known to be needed: with each arm and size whose tuning has ended, its judged runs.

    Args:
        records: of runs that will not be tried again, done or failed.

    Raises:
        StudyError: as `expand_runs`.
    """
    records = list(records)
    return expand_runs(study, _settle_points(study, records))


def list_runs_to_come(study: Study, records: Iterable[RunRecord]) -> tuple[Run, ...]:
    """The judged runs whose grid point tuning has yet to choose, each at the first one in its place.

    They cost the same at any.
    """
    records = list(records)
    settled, scores = _settle_points(study, records), collect_grid_scores(study, records)
    waiting = {cell: of_cell.points[0] for cell, of_cell in scores.items() if cell not in settled}
    known = {run.key for run in expand_runs(study, settled)}
    return tuple(run for run in expand_runs(study, settled | waiting) if run.key not in known)


def _settle_points(study: Study, records: Iterable[RunRecord]) -> dict[Cell, GridPoint]:
    """The points of the arms and sizes whose tuning runs are all on record, where one of them ended well."""
    records = list(records)
    on_record = {record.key for record in records}
    return {
        cell: point
        for cell, of_cell in collect_grid_scores(study, records).items()
        if all(key in on_record for row in of_cell.keys for key in row)
        and (point := of_cell.choose()) is not None
    }


def describe_changed_choices(study: Study, records: Iterable[RunRecord]) -> Iterator[str]:
    """A sentence for each arm and size that was judged at another point than tuning chooses by now."""
    records = list(records)
    for (arm, size), point in _settle_points(study, records).items():
        judged = [
            record
            for record in records
            if (record.arm, record.size) == (arm, size) and not record.for_tuning and record.status == "done"
        ]
        earlier = [record for record in judged if tuple(record.hyperparameters.items()) != point]
        if (
            get_tuning_seeds(study, study.arms[arm])
            and earlier
            and len(judged) - len(earlier) < len(study.seeds)
        ):
            where = arm if len(study.sizes) == 1 else f"{arm} (size {size})"
            yield (
                f"{where}: tuning chooses {_format_point(point)} now, but {len(earlier)} runs were "
                f"trained at {_format_point(tuple(earlier[0].hyperparameters.items()))}: they no "
                "longer count, and are redone at the new point"
            )


def _format_point(point: GridPoint) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in point)
