"""A study's records in the order of its tables, with the chosen grid point of each tuned arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headstart.analysis.grid_search import list_grid_rows, warn_of_grid_edges
from headstart.config.arm_settings import list_grid_points
from headstart.config.study import Size, Study
from headstart.records import GridRow, RunRecord, StudyWarning, format_run_key


@dataclass(frozen=True)
class StudyRuns:
    """The runs that a study asks for, as far as they ended, and the grid of its tuned arms."""

    study: Study
    records: tuple[RunRecord, ...]
    warnings: tuple[StudyWarning, ...]
    grid_rows: tuple[GridRow, ...]

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        """The runs that did not end."""
        return tuple(record for record in self.records if record.status == "failed")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The test metrics that runs have."""
        return tuple(next((record.test for record in self.records if record.test), ()))

    @property
    def chosen(self) -> list[RunRecord]:
        """The runs of each arm and size, in a tuned arm those at its chosen grid point; size by size."""
        return [run for size, arm in list_cells(self.study) for run in self.select_chosen(arm, size)]

    def find_chosen_point(self, arm: str, size: Size) -> dict[str, float] | None:
        """The arm's chosen grid point: empty where it is not tuned, None where no run is done."""
        tried = [row for row in self.grid_rows if (row.arm, row.size) == (arm, size)]
        return next((row.hyperparameters for row in tried if row.chosen), None) if tried else {}

    def select_chosen(self, arm: str, size: Size) -> tuple[RunRecord, ...]:
        """The arm's completed runs, in a tuned arm those at its chosen grid point."""
        place = arm, size, self.find_chosen_point(arm, size)
        return tuple(
            record
            for record in self.records
            if (record.arm, record.size, record.hyperparameters) == place
            and record.status == "done"
            and record.test
        )

    def collect_test_scores(self, arm: str, size: Size, metric: str) -> dict[int, float]:
        """The test metric by seed of the arm's chosen runs."""
        return {run.seed: run.test[metric] for run in self.select_chosen(arm, size) if run.test}


def order_runs(
    study: Study, records: Sequence[RunRecord], warnings: Sequence[StudyWarning] = ()
) -> StudyRuns:
    """The study's own records in the order of its tables, with a warning of each best value at an edge."""
    place = {key: i for i, key in enumerate(_list_keys(study))}
    ordered = tuple(sorted((r for r in records if r.key in place), key=lambda r: place[r.key]))
    grid_rows = tuple(list_grid_rows(study, ordered))
    return StudyRuns(study, ordered, (*warnings, *warn_of_grid_edges(study, grid_rows)), grid_rows)


def list_cells(study: Study) -> Iterator[tuple[Size, str]]:
    """The rows of the study's tables: each size with each arm."""
    return ((size, arm) for size in study.sizes for arm in study.arms)


def _list_keys(study: Study) -> Iterator[str]:
    """The keys of the study's runs, in the order of its tables."""
    for size, arm in list_cells(study):
        for point in list_grid_points(study, study.arms[arm]):
            yield from (format_run_key(arm, size, seed, point) for seed in study.seeds)
