"""Trackers that the package does not know: one remembers, others throw when made, told or closed."""

from __future__ import annotations

from typing import Any, Final

from headstart.config.trackers import TrackerTraits
from headstart.events import EpochDone, Event, RunEnded
from headstart.trackers.base import BaseTracker, TrackedRun

#: What the trackers of runs were told, in this process.
MADE: Final[list[Remembering]] = []


class Remembering(BaseTracker):
    """Remembers what it is told, and whether it was closed."""

    def __init__(self, tracked: TrackedRun, settings: Any) -> None:
        self.tracked, self.settings = tracked, settings
        self.events: list[Event] = []
        self.is_closed = False
        MADE.append(self)

    def on_event(self, event: Event) -> None:
        """Remember it."""
        assert not self.is_closed
        self.events.append(event)

    def close(self) -> None:
        """Remember that too."""
        assert not self.is_closed
        self.is_closed = True


class ThrowsWhenMade(Remembering):
    """As a library that is broken."""

    def __init__(self, tracked: TrackedRun, settings: Any) -> None:
        raise ImportError("libbroken.so: cannot open shared object file")


class ThrowsAtEpoch(Remembering):
    """As a server that refuses what it is sent."""

    def on_event(self, event: Event) -> None:
        """Refuse an epoch."""
        super().on_event(event)
        if isinstance(event, EpochDone):
            raise ConnectionError("http://me:hunter2hunter2@host/api refused\nmore of it")


class ThrowsAtEnd(Remembering):
    """As a program that ends itself."""

    def on_event(self, event: Event) -> None:
        """End the process."""
        super().on_event(event)
        if isinstance(event, RunEnded):
            raise SystemExit(3)


class ThrowsWhenClosed(Remembering):
    """As a disk that is full."""

    def close(self) -> None:
        """Find no room."""
        super().close()
        raise OSError(28, "No space left on device")


class ThrowsAtStudy(Remembering):
    """As a server that is away when the study begins."""

    @classmethod
    def begin_study(cls, study: Any, settings: Any, runs: Any) -> None:
        """Find nobody there."""
        raise TimeoutError("nobody answers")


TRAITS: Final = {
    kind.__name__: TrackerTraits(kind.__name__, f"toys.trackers:{kind.__name__}")
    for kind in (Remembering, ThrowsWhenMade, ThrowsAtEpoch, ThrowsAtEnd, ThrowsWhenClosed, ThrowsAtStudy)
}
