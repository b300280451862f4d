"""The points that an event adds to a run's curves, the same for every tracker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from headstart.events import EpochDone, Event, RunEnded, StepDone, StepMeasured
from headstart.records import EpochPoint, RunRecord
from headstart.trackers.end_scores import find_end_scores


@dataclass(frozen=True)
class Point:
    """Values by tag, at optimiser step or epoch `at`; `step` is the step that was made last before them."""

    by: Literal["step", "epoch"]
    at: int
    step: int
    values: dict[str, float]


def list_points(event: Event, metric: str) -> Iterator[Point]:
    """`train/*` by step, the rest by epoch.

    `best/valid_<metric>` and `best/test_<metric>` are the figures at the epoch that the selection rule
    would choose so far; the test never chooses. What is only known of a run that ended, such as what its
    answers are worth, stands at the epoch that was chosen, of a run without training at 0.
    """
    if isinstance(event, StepDone):
        values = {"train/loss": event.loss, "train/lr": event.learning_rate}
        yield Point("step", event.step, event.step, values)
    elif isinstance(event, StepMeasured):
        yield Point("step", event.step, event.step, event.values)
    elif isinstance(event, EpochDone):
        values = {**_tag_scores(event.epoch), **_tag_best(event.best, metric)}
        yield Point("epoch", event.epoch.epoch, event.epoch.step, values)
    elif isinstance(event, RunEnded) and event.record.status == "done":
        yield from _list_end(event.record, metric)


def _tag_scores(epoch: EpochPoint) -> dict[str, float]:
    parts = (("valid", epoch.valid), ("test", epoch.test or {}))
    return {f"{part}/{name}": value for part, scores in parts for name, value in scores.items()}


def _tag_best(best: EpochPoint, metric: str) -> dict[str, float]:
    parts = (("valid", best.valid), ("test", best.test or {}))
    return {f"best/{part}_{metric}": scores[metric] for part, scores in parts if metric in scores}


def _list_end(record: RunRecord, metric: str) -> Iterator[Point]:
    """The figures of the run that no epoch brought."""
    values: dict[str, float] = {}
    for part, scores in find_end_scores(record).items():
        values |= {f"{part}/{name}": value for name, value in scores.items()}
        values |= {f"best/{part}_{metric}": scores[metric]} if metric in scores else {}
    if values:
        step = next((epoch.step for epoch in record.epochs if epoch.epoch == record.best_epoch), 0)
        yield Point("epoch", record.best_epoch or 0, step, values)
