"""What a tracker is: it is told of one run's events, and closed at the end; it decides nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from headstart.config.runs import Run
from headstart.events import Event
from headstart.files import read_file, write_text

#: How a study's training came to an end: every run was tried, something failed, or it was interrupted.
End = Literal["finished", "failed", "interrupted"]


@dataclass(frozen=True)
class TrackedStudy:
    """The study whose runs are shown.

    `name` is that of its folder. `metric`, one of the task's `metrics`, chooses each run's best epoch.
    """

    name: str
    folder: Path
    metric: str
    metrics: tuple[str, ...]
    id_file: Path

    @cached_property
    def id(self) -> str:
        """Tells the study from others wherever their runs meet; kept in its folder, for later calls."""
        try:
            return uuid.UUID(read_file(self.id_file).decode("ascii").strip()).hex
        except (OSError, ValueError):
            write_text(self.id_file, f"{(new := uuid.uuid4()).hex}\n")
            return new.hex


@dataclass(frozen=True)
class TrackedRun:
    """The run that is shown; `folder` is for its curves, where they are files of their own."""

    study: TrackedStudy
    run: Run
    folder: Path

    @property
    def id(self) -> str:
        """The same in each call that the run takes to end."""
        return f"{self.study.id}/{self.run.key}"


class Tracker(Protocol):
    """Shows one run's curves somewhere: a folder, a server.

    The events are those of one run, in their order, from `RunStarted` on. A run that goes on from a saved
    state tells the earlier steps and epochs again. `RunEnded` brings the record of a run that is done, with
    what was not known before, or of one that failed; a run that was interrupted is closed without one.
    """

    def on_event(self, event: Event) -> None:
        """Show what an event brings; one that brings nothing to show is passed over."""

    def close(self) -> None:
        """Finish writing."""


class TrackerClass(Protocol):
    """What makes trackers: a class, told in the study's own process when training begins and ends."""

    def __call__(self, tracked: TrackedRun, settings: Any) -> Tracker:
        """The tracker of one run; `settings` are those of the study file."""

    def begin_study(self, study: TrackedStudy, settings: Any, runs: Sequence[Run]) -> None:
        """Make ready what runs share, before any of them begins; `runs` are those that are known."""

    def end_study(self, study: TrackedStudy, settings: Any, end: End) -> None:
        """Say that no more runs come in this call."""


class BaseTracker:
    """Base of trackers whose runs share nothing."""

    @classmethod
    def begin_study(cls, study: TrackedStudy, settings: Any, runs: Sequence[Run]) -> None:
        """Nothing to make ready."""

    @classmethod
    def end_study(cls, study: TrackedStudy, settings: Any, end: End) -> None:
        """Nothing to end."""
