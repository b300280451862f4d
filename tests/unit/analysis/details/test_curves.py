"""Curves of runs: best so far by the rule of selection, means over seeds, thinned losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.analysis.details.curves import LossCurve, average_curves, find_curves
from headstart.analysis.details.loss_curves import find_loss_curve, thin_losses
from headstart.records import EpochPoint, RunRecord
from small_studies import make_record

NOTHING = LossCurve((), ())


def make_run(
    seed: int, valid: list[float], test: list[float] | None = None, *, metric: str = "accuracy"
) -> RunRecord:
    epochs = [
        EpochPoint(
            epoch=i + 1,
            step=10 * (i + 1),
            train_loss=1 / (i + 1),
            learning_rate=0.1,
            valid={metric: score},
            test=None if test is None else {metric: test[i]},
            seconds=1.0,
        )
        for i, score in enumerate(valid)
    ]
    return make_record(seed, epochs=epochs, best_epoch=int(np.argmax(valid)) + 1)


def find(*runs: RunRecord, metric: str = "accuracy"):  # type: ignore[no-untyped-def]
    return find_curves(runs, metric, {run.key: NOTHING for run in runs}, chosen_by=metric)


def test_best_so_far_is_chosen_by_valid_alone_and_the_earlier_of_equals() -> None:
    (curve,) = find(make_run(0, [0.5, 0.7, 0.6, 0.7], [0.9, 0.4, 0.8, 0.3])).runs
    assert curve.best_valid == (0.5, 0.7, 0.7, 0.7)
    assert curve.best_test == (0.9, 0.4, 0.4, 0.4)
    assert curve.test == (0.9, 0.4, 0.8, 0.3)
    assert curve.best_epoch == 2


def test_of_a_loss_the_lowest_is_best() -> None:
    (curve,) = find(make_run(0, [0.5, 0.7, 0.3], metric="loss"), metric="loss").runs
    assert curve.best_valid == (0.5, 0.5, 0.3)
    assert curve.best_test is None


def test_mean_over_seeds_goes_as_far_as_all_runs_do() -> None:
    curves = find(make_run(0, [0.5, 0.7, 0.9], [0.2, 0.4, 0.6]), make_run(1, [0.6, 0.4], [0.4, 0.1]))
    (arm,) = curves.arms
    assert arm.epochs == (1, 2)
    assert arm.best_valid == pytest.approx((0.55, 0.65))
    assert arm.best_test == pytest.approx((0.3, 0.4))


def test_runs_without_epochs_have_no_curve() -> None:
    assert find(make_record(0)).runs == ()


def test_losses_of_a_run_that_nothing_tracked_are_those_of_its_epochs(tmp_path: Path) -> None:
    assert find_loss_curve(make_run(0, [0.5, 0.7]), tmp_path) == LossCurve((10, 20), (1.0, 0.5))


def test_many_losses_are_thinned_to_means() -> None:
    steps = np.arange(1, 1001)
    thinned = thin_losses(steps, steps / 1000)
    assert len(thinned.steps) == 200
    assert thinned.steps[:2] == (5, 10)
    assert thinned.losses[0] == pytest.approx(0.003)
    few = thin_losses(steps[:7], steps[:7] / 1000)
    assert few == LossCurve(tuple(range(1, 8)), tuple(s / 1000 for s in range(1, 8)))


def test_mean_curves_of_records_follow_the_metric_that_chose_the_epoch() -> None:
    run = make_run(0, [0.5, 0.7, 0.6])
    (arm,) = average_curves([run], "accuracy")
    assert arm.best_valid == (0.5, 0.7, 0.7)
