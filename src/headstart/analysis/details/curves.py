"""Curves of training: what each run scored by epoch, what was best so far, and its training loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.config.best_epoch import iter_best_places
from headstart.config.sizes import Size
from headstart.records import EpochPoint, RunRecord


@dataclass(frozen=True)
class LossCurve:
    """The training loss of a run by optimiser step, thinned to at most 200 points: `steps` and `losses` [K].

    Of a run whose steps were tracked nowhere each epoch is a point, its mean loss at its last step.
    """

    steps: tuple[int, ...]
    losses: tuple[float, ...]


#: Of a run of which no step was told.
NO_LOSSES: Final = LossCurve((), ())


@dataclass(frozen=True)
class RunCurve:
    """What one run scored by one metric after each of its E epochs: all [E].

    `best_valid` and `best_test` are the scores at the epoch that the selection rule would have chosen so far,
    the test never choosing; `test` and `best_test` are None where the test was not scored at each epoch.
    `best_epoch` is the one that was chosen.
    """

    arm: str
    size: Size
    seed: int
    epochs: tuple[int, ...]
    valid: tuple[float, ...]
    test: tuple[float, ...] | None
    best_valid: tuple[float, ...]
    best_test: tuple[float, ...] | None
    best_epoch: int | None
    loss: LossCurve


@dataclass(frozen=True)
class ArmCurve:
    """The means over an arm's seeds of `best_valid` and `best_test` [E], at epochs that all its runs have."""

    arm: str
    size: Size
    epochs: tuple[int, ...]
    best_valid: tuple[float, ...]
    best_test: tuple[float, ...] | None


@dataclass(frozen=True)
class Curves:
    """The curves of the runs by which arms are judged, by one metric."""

    metric: str
    runs: tuple[RunCurve, ...]
    arms: tuple[ArmCurve, ...]


def find_curves(
    runs: Sequence[RunRecord], metric: str, losses: Mapping[str, LossCurve], chosen_by: str
) -> Curves:
    """The curves of `runs`, those by which arms are judged, by one metric.

    Args:
        losses: as `find_loss_curve`, by key, of the runs that it is known of.
        chosen_by: the metric by which a run's epoch is chosen.
    """
    shown = [run for run in runs if run.epochs and all(metric in epoch.valid for epoch in run.epochs)]
    curves = [_find_curve(run, metric, chosen_by, losses.get(run.key, NO_LOSSES)) for run in shown]
    return Curves(metric, tuple(curves), tuple(average_arms(curves)))


def average_curves(runs: Sequence[RunRecord], metric: str) -> tuple[ArmCurve, ...]:
    """The mean curves of arms, from records alone; each run's best epoch is by the metric that chose it."""
    choosing = next((run.selection.metric for run in runs if run.selection), metric)
    return find_curves(runs, metric, {}, choosing).arms


def _find_curve(run: RunRecord, metric: str, chosen_by: str, loss: LossCurve) -> RunCurve:
    scores = (epoch.valid[chosen_by] for epoch in run.epochs)
    best = [run.epochs[place] for place in iter_best_places(scores, chosen_by)]
    return RunCurve(
        arm=run.arm,
        size=run.size,
        seed=run.seed,
        epochs=tuple(epoch.epoch for epoch in run.epochs),
        valid=tuple(epoch.valid[metric] for epoch in run.epochs),
        test=_list_tests(run.epochs, metric),
        best_valid=tuple(epoch.valid[metric] for epoch in best),
        best_test=_list_tests(best, metric),
        best_epoch=run.best_epoch,
        loss=loss,
    )


def _list_tests(epochs: Sequence[EpochPoint], metric: str) -> tuple[float, ...] | None:
    if not all(epoch.test and metric in epoch.test for epoch in epochs):
        return None
    return tuple(epoch.test[metric] for epoch in epochs if epoch.test)


def average_arms(curves: Sequence[RunCurve]) -> Iterator[ArmCurve]:
    """The means over seeds, at the epochs that all of an arm's runs at a size have."""
    for arm, size in dict.fromkeys((curve.arm, curve.size) for curve in curves):
        of_cell = [curve for curve in curves if (curve.arm, curve.size) == (arm, size)]
        count = min(len(curve.epochs) for curve in of_cell)
        tests = [curve.best_test[:count] for curve in of_cell if curve.best_test]
        yield ArmCurve(
            arm=arm,
            size=size,
            epochs=of_cell[0].epochs[:count],
            best_valid=_average([curve.best_valid[:count] for curve in of_cell]),
            best_test=_average(tests) if len(tests) == len(of_cell) else None,
        )


def _average(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(np.mean(rows, axis=0).tolist())
