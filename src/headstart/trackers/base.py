"""What a tracker is: it is told of one run's events, and closed at the end; it decides nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from headstart.events import Event


class Tracker(Protocol):
    """Shows one run's curves somewhere: a folder, a server.

    The events are those of one run, in their order; a run that goes on from a saved state tells the earlier
    ones again. `RunEnded` brings the record of a run that is done, with what was not known before: the test,
    what a language model's answers are worth, and its samples. A run without training brings nothing else.
    """

    def on_event(self, event: Event) -> None:
        """Show what an event brings; one that brings nothing to show is passed over."""

    def close(self) -> None:
        """Finish writing."""


class ClosingTracker:
    """Base of trackers: closed at the end of a `with` block."""

    def close(self) -> None:
        """Finish writing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
