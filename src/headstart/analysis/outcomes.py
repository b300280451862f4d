"""What became of each arm's runs: how many failed, and how many collapsed to one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from headstart.analysis.collapsed import (
    judge_predictions,
    read_first_labelled,
    read_labelled,
    sum_up_collapse,
)
from headstart.analysis.measured_tests import ReadPredictions, count_majority
from headstart.analysis.study_runs import StudyRuns, list_cells
from headstart.config.arm_settings import is_adapted, is_pretrained
from headstart.config.sizes import Size
from headstart.records import Collapse, OutcomeRow
from headstart.stats.shares import compute_wilson_interval
from headstart.stats.summary import t_quantile

#: By key, how the runs ended whose predictions of labels are known: None for one that did not collapse.
Collapses = Mapping[str, Collapse | None]


def find_collapses(runs: StudyRuns, read: ReadPredictions) -> Collapses:
    """Of all runs, those at grid points that were not chosen too.

    Raises:
        DamagedFileError: predictions cannot be read.
    """
    predictions = ((run, read_labelled(runs.study, run, read)) for run in runs.records)
    return {run.key: judge_predictions(run, known) for run, known in predictions if known is not None}


def list_outcomes(runs: StudyRuns, collapses: Collapses, read: ReadPredictions) -> Iterator[OutcomeRow]:
    """Of each arm and size, in a tuned arm at its chosen grid point."""
    majority = _find_majority(runs, read)
    for size, arm in list_cells(runs.study):
        ended, n_failed = runs.select_chosen(arm, size), _count_failed(runs, arm, size)
        if ended or n_failed:
            section = runs.study.arms[arm]
            row = OutcomeRow(
                arm=arm,
                size=size,
                n_runs=len(ended) + n_failed,
                n_failed=n_failed,
                pretrained=is_pretrained(section) or is_adapted(section),
            )
            yield _count_collapsed(row, runs, collapses).model_copy(update={"majority": majority})


def _find_majority(runs: StudyRuns, read: ReadPredictions) -> float | None:
    """The share of the test that is of its most frequent class, as the first run knows it whose predictions
    are there: a study has one test set."""
    first = read_first_labelled(runs, read)
    count = None if first is None else count_majority(first)
    return None if first is None or count is None else count / len(first.y_true)


def _count_failed(runs: StudyRuns, arm: str, size: Size) -> int:
    """Seeds whose run failed at the grid point where they are judged; where none could be chosen, at any."""
    if judged := runs.select_chosen_failed(arm, size):
        return len(judged)
    if runs.select_chosen(arm, size) or runs.count_judged_points(arm, size):
        return 0
    return len({run.seed for run in runs.failed if (run.arm, run.size) == (arm, size)})


def _count_collapsed(row: OutcomeRow, runs: StudyRuns, collapses: Collapses) -> OutcomeRow:
    """With those that collapsed, among the runs that ended; as it is where one of them is not known."""
    ended = runs.select_chosen(row.arm, row.size)
    if not ended or any(run.key not in collapses for run in ended):
        return row
    dead = [(run, collapse) for run in ended if (collapse := collapses[run.key]) is not None]
    low, high = compute_wilson_interval(len(dead) / len(ended), len(ended), t_quantile(np.inf))
    common = sum_up_collapse(runs.study, row.arm, [run for run, _ in dead], [how for _, how in dead])
    found = {"n_collapsed": len(dead), "collapsed_low": low, "collapsed_high": high}
    return row.model_copy(update=found | {"collapse": common})
