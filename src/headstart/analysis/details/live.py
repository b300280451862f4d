"""A study under way: which runs train, how far they are, and their curves so far, by what is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from headstart.analysis.details.curves import NO_LOSSES, Curves, RunCurve, average_arms
from headstart.analysis.details.loss_curves import LOSS_TAG, thin_losses
from headstart.analysis.details.study_details import StudyDetails
from headstart.config.best_epoch import iter_best_places
from headstart.config.runs import Run
from headstart.config.sizes import Size
from headstart.config.study import Study
from headstart.planning.tuning import find_needed_runs, list_runs_to_come
from headstart.records import RunRecord
from headstart.store.event_scalars import Scalars, read_scalars
from headstart.store.layout import StudyLayout

#: What `trackers.tensorboard` calls the scores of an epoch.
_VALID_TAG: Final = "valid/"
_TEST_TAG: Final = "test/"


@dataclass(frozen=True)
class RunUnderWay:
    """A run that began and has not ended: its last optimiser step that was told, and epochs that ended."""

    key: str
    arm: str
    size: Size
    seed: int
    step: int
    epochs: int
    total_epochs: int
    curve: RunCurve


@dataclass(frozen=True)
class LiveStudy:
    """How far a study is: of `total` runs, those of the arms that are still being tuned among them, how many
    are done and have failed, and those that are under way.
    """

    done: int
    failed: int
    total: int
    under_way: tuple[RunUnderWay, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to train."""
        return self.done >= self.total


def find_live_study(study: Study, records: Sequence[RunRecord], layout: StudyLayout) -> LiveStudy:
    """How far the study is whose folder it is, by its records and the curves of runs without one.

    A run that was interrupted looks like one that trains: whether somebody trains is the folder's lock's
    affair.
    """
    ended = {record.key: record.status for record in records}
    needed = find_needed_runs(study, records)
    begun = [run for run in needed if run.key not in ended]
    found = (_find_run(run, study.metric, layout.get_curves_folder(run.key)) for run in begun)
    return LiveStudy(
        done=sum(ended.get(run.key) == "done" for run in needed),
        failed=sum(ended.get(run.key) == "failed" for run in needed),
        total=len(needed) + len(list_runs_to_come(study, records)),
        under_way=tuple(run for run in found if run is not None),
    )


def _find_run(run: Run, metric: str, folder: Path) -> RunUnderWay | None:
    """What its curves tell; None where it has none."""
    scalars = read_scalars(folder)
    if not scalars:
        return None
    curve = _make_curve(run, metric, scalars)
    return RunUnderWay(
        key=run.key,
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        step=max(scalars.get(LOSS_TAG, {0: 0.0})),
        epochs=len(curve.epochs),
        total_epochs=run.training.epochs,
        curve=curve,
    )


def _make_curve(run: Run, metric: str, scalars: Scalars) -> RunCurve:
    valid = scalars.get(_VALID_TAG + metric, {})
    test = scalars.get(_TEST_TAG + metric, {})
    epochs = list(valid)
    best = [epochs[place] for place in iter_best_places(valid.values(), metric)]
    has_test = bool(valid) and valid.keys() <= test.keys()
    losses = scalars.get(LOSS_TAG, {})
    return RunCurve(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        epochs=tuple(epochs),
        valid=tuple(valid.values()),
        test=tuple(test[epoch] for epoch in valid) if has_test else None,
        best_valid=tuple(valid[epoch] for epoch in best),
        best_test=tuple(test[epoch] for epoch in best) if has_test else None,
        best_epoch=None,
        loss=thin_losses(np.array(list(losses)), np.array(list(losses.values()))) if losses else NO_LOSSES,
    )


def join_live_curves(details: StudyDetails, live: LiveStudy) -> StudyDetails:
    """The same with the curves of runs under way among those of its metric, and in the means of arms."""
    begun = tuple(run.curve for run in live.under_way if run.curve.epochs)
    if not begun:
        return details
    metric = details.results.study.metric
    first, *others = details.curves or (Curves(metric, (), ()),)
    runs = (*first.runs, *begun)
    return replace(details, curves=(Curves(metric, runs, tuple(average_arms(runs))), *others))
