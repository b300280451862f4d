"""What became of each arm's runs: how many failed, and how many learnt nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from headstart.analysis.scores import ArmScores
from headstart.analysis.study_runs import StudyRuns, list_cells
from headstart.config.study import Size
from headstart.records import OutcomeRow, RunRecord
from headstart.stats.shares import compute_wilson_interval
from headstart.stats.summary import t_quantile

_METRIC = "accuracy"


@dataclass(frozen=True)
class Majority:
    """How many of the `n_examples` test examples are of the most frequent class."""

    count: int
    n_examples: int

    def is_reached(self, accuracy: float) -> bool:
        """Whether always answering that class is right at least as often."""
        return round(accuracy * self.n_examples) <= self.count

    @property
    def share(self) -> float:
        """Its accuracy."""
        return self.count / self.n_examples


def list_outcomes(runs: StudyRuns, scores: Iterable[ArmScores]) -> Iterator[OutcomeRow]:
    """Of each arm and size, in a tuned arm at its chosen grid point; `scores` know the test's classes."""
    majority = _find_majority(scores)
    for size, arm in list_cells(runs.study):
        ended, n_failed = runs.select_chosen(arm, size), _count_failed(runs, arm, size)
        if ended or n_failed:
            row = OutcomeRow(arm=arm, size=size, n_runs=len(ended) + n_failed, n_failed=n_failed)
            yield row if majority is None else _count_collapsed(row, ended, majority)


def _find_majority(scores: Iterable[ArmScores]) -> Majority | None:
    """Of the test set, as the first knows it whose predictions are there: a study has one test set."""
    counts = ((found.n_majority, found.n_examples) for found in scores)
    return next((Majority(count, n_examples) for count, n_examples in counts if count is not None), None)


def _count_failed(runs: StudyRuns, arm: str, size: Size) -> int:
    """Seeds whose run failed at the grid point where they are judged; where none could be chosen, at any."""
    if judged := runs.select_chosen_failed(arm, size):
        return len(judged)
    if runs.select_chosen(arm, size) or runs.count_judged_points(arm, size):
        return 0
    return len({run.seed for run in runs.failed if (run.arm, run.size) == (arm, size)})


def _count_collapsed(row: OutcomeRow, ended: tuple[RunRecord, ...], majority: Majority) -> OutcomeRow:
    """With those at or below the majority class, among the runs that ended."""
    if not ended:
        return row
    collapsed = sum(majority.is_reached(run.test[_METRIC]) for run in ended if run.test)
    low, high = compute_wilson_interval(collapsed / len(ended), len(ended), t_quantile(np.inf))
    found = {"n_collapsed": collapsed, "collapsed_low": low, "collapsed_high": high}
    return row.model_copy(update=found | {"majority": majority.share})
