"""A study's records in the order of its tables, with the grid points that tuned arms are judged at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headstart.analysis.grid_search import (
    list_grid_rows,
    list_judged_points,
    warn_of_flattered_arms,
    warn_of_grid_edges,
)
from headstart.config.arm_settings import get_grid_axes
from headstart.config.fairness import describe_differences
from headstart.config.runs import Cell
from headstart.config.sizes import Size
from headstart.config.study import Study
from headstart.planning.tuning import GridScores, collect_grid_scores
from headstart.records import GridRow, JudgedPoint, RunRecord, StudyWarning, format_run_key


@dataclass(frozen=True)
class StudyRuns:
    """The runs that a study asks for, as far as they ended, and the grid of its tuned arms.

    `judged_points` says of each seed of a tuned arm at which grid point it is judged.
    """

    study: Study
    records: tuple[RunRecord, ...]
    warnings: tuple[StudyWarning, ...]
    grid_rows: tuple[GridRow, ...]
    judged_points: tuple[JudgedPoint, ...]

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        """The runs that did not end."""
        return tuple(record for record in self.records if record.status == "failed")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The test metrics that some run has: one that is old, or could not answer, may lack some."""
        tests = (record.test for record in self.records if record.test)
        return tuple(dict.fromkeys(name for test in tests for name in test))

    @property
    def chosen(self) -> list[RunRecord]:
        """The runs by which each arm is judged at each size; size by size."""
        return [run for size, arm in list_cells(self.study) for run in self.select_chosen(arm, size)]

    def find_chosen_point(self, arm: str, size: Size) -> dict[str, float] | None:
        """The grid point that all seeds choose: empty where none is tuned, None where no run is done."""
        tried = [row for row in self.grid_rows if (row.arm, row.size) == (arm, size)]
        return next((row.hyperparameters for row in tried if row.chosen), None) if tried else {}

    def count_judged_points(self, arm: str, size: Size) -> list[tuple[dict[str, float], int]]:
        """The grid points at which the tuned arm's seeds are judged, each with its number of seeds."""
        of_cell = [row for row in self.judged_points if (row.arm, row.size) == (arm, size)]
        counts = Counter(tuple(row.hyperparameters.items()) for row in of_cell)
        return [(dict(point), n_seeds) for point, n_seeds in counts.most_common()]

    def select_chosen(self, arm: str, size: Size) -> tuple[RunRecord, ...]:
        """The arm's completed runs, in a tuned arm those at the grid point at which their seed is judged."""
        judged = self._select_judged(arm, size)
        return tuple(run for run in judged if run.status == "done" and run.test)

    def select_chosen_failed(self, arm: str, size: Size) -> tuple[RunRecord, ...]:
        """Those of the same runs that failed."""
        return tuple(run for run in self._select_judged(arm, size) if run.status == "failed")

    def _select_judged(self, arm: str, size: Size) -> tuple[RunRecord, ...]:
        points = {
            row.seed: row.hyperparameters for row in self.judged_points if (row.arm, row.size) == (arm, size)
        }
        default: dict[str, float] | None = None if get_grid_axes(self.study, self.study.arms[arm]) else {}
        return tuple(
            record
            for record in self.records
            if (record.arm, record.size) == (arm, size)
            and record.hyperparameters == points.get(record.seed, default)
        )

    def collect_test_scores(self, arm: str, size: Size, metric: str) -> dict[int, float]:
        """The test metric by seed of the arm's chosen runs."""
        return {run.seed: run.test[metric] for run in self.select_chosen(arm, size) if run.test}


def order_runs(
    study: Study, records: Sequence[RunRecord], warnings: Sequence[StudyWarning] = ()
) -> StudyRuns:
    """The study's own records in the order of its tables, with warnings of what its choices make doubtful."""
    scores = collect_grid_scores(study, records)
    judged_points = tuple(list_judged_points(scores))
    place = {key: i for i, key in enumerate(_list_keys(study, scores))}
    ordered = tuple(sorted((r for r in records if r.key in place), key=lambda r: place[r.key]))
    grid_rows = tuple(list_grid_rows(study, ordered))
    doubts = (
        *describe_differences(study),
        *warn_of_flattered_arms(study),
        *warn_of_grid_edges(study, grid_rows),
    )
    return StudyRuns(study, ordered, (*warnings, *doubts), grid_rows, judged_points)


def list_cells(study: Study) -> Iterator[tuple[Size, str]]:
    """The rows of the study's tables: each size with each arm."""
    return ((size, arm) for size in study.sizes for arm in study.arms)


def _list_keys(study: Study, scores: Mapping[Cell, GridScores]) -> Iterator[str]:
    """The keys of the study's runs, in the order of its tables: those that choose before those that judge."""
    for size, arm in list_cells(study):
        of_cell = scores.get((arm, size))
        if of_cell is None:
            yield from (format_run_key(arm, size, seed, ()) for seed in study.seeds)
            continue
        yield from (key for row in of_cell.keys for key in row)
        chosen = None if of_cell.is_shared else of_cell.choose()
        if chosen is not None:
            yield from (format_run_key(arm, size, seed, chosen) for seed in study.seeds)
