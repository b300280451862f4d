"""Runs for tests of trackers, and the events of one that trains for two epochs of two steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.config.runs import Run, expand_runs
from headstart.events import EpochDone, Event, RunEnded, RunStarted, StepDone
from headstart.records import EpochPoint
from headstart.trackers.base import TrackedRun, TrackedStudy, Tracker
from small_studies import make_record, make_study


def make_run(out: Path, arm: str = "pretrained", **changes: Any) -> Run:
    """The first run of an arm."""
    return next(run for run in expand_runs(make_study(out, **changes)) if run.arm == arm)


def make_tracked(out: Path, run: Run | None = None, metric: str = "accuracy") -> TrackedRun:
    """A run of a study in `out`."""
    study = TrackedStudy(
        "study", out, metric, ("accuracy", "macro_f1", "loss"), out / ".headstart/tracking-id"
    )
    run = run or make_run(out)
    return TrackedRun(study, run, out / "tensorboard" / run.key)


def make_point(epoch: int, valid: float, test: float | None = None) -> EpochPoint:
    return EpochPoint(
        epoch=epoch,
        step=2 * epoch,
        train_loss=1.0,
        learning_rate=0.1,
        valid={"accuracy": valid, "loss": 1 - valid},
        test=None if test is None else {"accuracy": test},
        seconds=1.0,
    )


POINTS = (make_point(1, 0.75), make_point(2, 0.5))


def list_events(run: Run, *, epochs: int = 2, status: str | None = "done") -> list[Event]:
    """Those of a run that is best at epoch 1, up to an epoch, and to its end unless it is interrupted."""
    events: list[Event] = [RunStarted(run)]
    for point in POINTS[:epochs]:
        steps = (point.step - 1, point.step)
        events += [StepDone(run, step, 4, 1 / step, 0.1 / step) for step in steps]
        events.append(EpochDone(run, point, POINTS[0]))
    if status == "done":
        record = make_record(arm=run.arm, epochs=POINTS, best_epoch=1, valid=0.75)
        events.append(RunEnded(record.model_copy(update={"test": {"accuracy": 0.625}})))
    elif status == "failed":
        events.append(RunEnded(make_record(arm=run.arm, status="failed", valid=None, error="it broke")))
    return events


def tell(tracker: Tracker, events: list[Event]) -> None:
    """Tell it of all, and close it."""
    for event in events:
        tracker.on_event(event)
    tracker.close()


#: Each tag's values at the steps and epochs that `list_events` tells of.
CURVES = {
    "train/loss": [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)],
    "train/lr": [(1, 0.1), (2, 0.05), (3, 0.1 / 3), (4, 0.025)],
    "valid/accuracy": [(1, 0.75), (2, 0.5)],
    "valid/loss": [(1, 0.25), (2, 0.5)],
    "best/valid_accuracy": [(1, 0.75), (2, 0.75)],
    "test/accuracy": [(1, 0.625)],
    "best/test_accuracy": [(1, 0.625)],
}
