"""A tracker of one class and one registration is told of every run's events, beside TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headstart.cli import main
from headstart.events import EpochDone, Event, RunEnded, StepDone
from headstart.trackers.registry import TRACKERS, register_tracker


class Remembering:
    """Remembers what it is told, and whether it was closed."""

    made: list[Remembering]

    def __init__(self, folder: Path, metric: str) -> None:
        self.folder, self.metric = folder, metric
        self.events: list[Event] = []
        self.is_closed = False
        self.made.append(self)

    def on_event(self, event: Event) -> None:
        """Remember it."""
        assert not self.is_closed
        self.events.append(event)

    def close(self) -> None:
        """Remember that too."""
        self.is_closed = True


@pytest.fixture
def remembering() -> Iterator[type[Remembering]]:
    Remembering.made = []
    register_tracker("remembering", Remembering)
    yield Remembering
    del TRACKERS["remembering"]


@pytest.mark.usefixtures("one_thread")
def test_a_registered_tracker_is_told_of_every_runs_steps_and_epochs(
    study_file: Callable[..., Path], tmp_path: Path, remembering: type[Remembering]
) -> None:
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp64"}
    assert main(["run", str(study_file(training=training, pack=2))]) == 0
    trackers: dict[str, list[Remembering]] = {}
    for one in remembering.made:
        trackers.setdefault(str(one.folder.relative_to(tmp_path / "out/tensorboard")), []).append(one)
    assert trackers.keys() == {"pretrained/all/0", "random/all/0", "words/all/0"}
    for tracker, *_ in (trackers["pretrained/all/0"], trackers["random/all/0"]):
        steps = [event.step for event in tracker.events if isinstance(event, StepDone)]
        epochs = [event.epoch.epoch for event in tracker.events if isinstance(event, EpochDone)]
        assert (steps, epochs) == (list(range(1, 17)), [1, 2])
        assert (tracker.metric, tracker.is_closed) == ("accuracy", True)
        assert list(tracker.folder.glob("events.*")), "TensorBoard's file is there too"
    for *_, last in trackers.values():
        (event,) = last.events
        assert isinstance(event, RunEnded)
        assert event.record.test
        assert last.is_closed
