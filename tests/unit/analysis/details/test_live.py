"""How far a study is, and the curves of its unfinished runs, by what TensorBoard's tracker wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.analysis.details.live import LiveStudy, find_live_study
from headstart.config.runs import expand_runs
from headstart.config.study import Study
from headstart.config.trackers import NoSettings
from headstart.events import EpochDone, StepDone
from headstart.records import EpochPoint, RunRecord
from headstart.store.layout import StudyLayout
from headstart.trackers.base import TrackedRun
from headstart.trackers.registry import describe_study
from headstart.trackers.tensorboard import TensorBoardTracker
from small_studies import make_record, make_study

ARMS = {"a": {}, "b": {"init": "random"}, "words": None}


def make_epoch(epoch: int, valid: float, test: float) -> EpochPoint:
    return EpochPoint(
        epoch=epoch,
        step=2 * epoch,
        train_loss=0.5,
        learning_rate=0.1,
        valid={"accuracy": valid},
        test={"accuracy": test},
        seconds=1.0,
    )


def track(study: Study, layout: StudyLayout, key: str, scores: list[tuple[float, float]]) -> None:
    """What a tracker is told of a run that has ended these epochs."""
    run = next(run for run in expand_runs(study, {}) if run.key == key)
    tracked = TrackedRun(describe_study(study, layout), run, layout.get_curves_folder(key))
    tracker = TensorBoardTracker(tracked, NoSettings())
    best = None
    for i, (valid, test) in enumerate(scores):
        for step in (2 * i + 1, 2 * i + 2):
            tracker.on_event(StepDone(run, step, 10, 1 / step, 0.1))
        epoch = make_epoch(i + 1, valid, test)
        best = epoch if best is None or valid > best.valid["accuracy"] else best
        tracker.on_event(EpochDone(run, epoch, best))
    tracker.close()


def find(tmp_path: Path, records: list[RunRecord], scores: list[tuple[float, float]]) -> LiveStudy:
    study, layout = make_study(tmp_path, arms=ARMS, seeds=2, training={"epochs": 5}), StudyLayout(tmp_path)
    if scores:
        track(study, layout, "a/all/1", scores)
    return find_live_study(study, records, layout)


def test_a_run_with_curves_and_no_record_is_under_way(tmp_path: Path) -> None:
    done = [make_record(0, arm="a"), make_record(0, arm="b", status="failed", valid=None)]
    progress = find(tmp_path, done, [(0.5, 0.25), (0.75, 0.5), (0.625, 0.75)])
    assert (progress.done, progress.failed, progress.total, progress.is_whole) == (1, 1, 4, False)
    (run,) = progress.under_way
    assert (run.key, run.epochs, run.total_epochs, run.step) == ("a/all/1", 3, 5, 6)
    assert run.curve.valid == (0.5, 0.75, 0.625)
    assert run.curve.best_valid == (0.5, 0.75, 0.75)
    assert run.curve.best_test == (0.25, 0.5, 0.5)
    assert run.curve.loss.steps == (1, 2, 3, 4, 5, 6)
    assert run.curve.loss.losses == pytest.approx([1 / step for step in range(1, 7)])


def test_a_run_with_a_record_is_not(tmp_path: Path) -> None:
    progress = find(tmp_path, [make_record(seed, arm=arm) for arm in "ab" for seed in (0, 1)], [(0.5, 0.5)])
    assert progress.under_way == ()
    assert progress.is_whole


def test_nothing_has_begun(tmp_path: Path) -> None:
    progress = find(tmp_path, [], [])
    assert (progress.done, progress.total, progress.under_way) == (0, 4, ())
