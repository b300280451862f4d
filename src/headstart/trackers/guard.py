"""Keeps what goes wrong in a tracker from a run: the tracker is switched off, and the reason is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from headstart.events import Event
from headstart.os_faults import explain_system_error, is_system_error
from headstart.records import RunRecord, StudyWarning
from headstart.trackers.base import Tracker
from headstart.trackers.secrets import hide_secrets
from headstart.wording import cut_text, format_names

#: The kind of a record's warning that a tracker was switched off.
TRACKER_OFF: Final = "tracker-off"
_NO_EFFECT: Final = "with no effect on results"
_IN_THIS_RUN: Final = f" in this run, {_NO_EFFECT}: "
#: Whatever a library of others throws, and ends a program with.
_ANYTHING: Final = (Exception, SystemExit)


class GuardedTracker:
    """One tracker of one run, which never raises: after the first error it is closed, and told no more."""

    def __init__(self, name: str, make: Callable[[], Tracker]) -> None:
        self.name, self.fault = name, None
        self._tracker: Tracker | None = None
        self._do(lambda: self._set(make()))

    fault: str | None

    def on_event(self, event: Event) -> None:
        """Tell it."""
        tracker = self._tracker
        if tracker is not None:
            self._do(lambda: tracker.on_event(event))

    def close(self) -> None:
        """Have it finish."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            self._do(tracker.close)

    @property
    def warning(self) -> StudyWarning | None:
        """What its run's record says of it, where it was switched off."""
        if self.fault is None:
            return None
        message = f"tracker {self.name} was switched off{_IN_THIS_RUN}{self.fault}"
        return StudyWarning(kind=TRACKER_OFF, message=message)

    def _set(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def _do(self, act: Callable[[], None]) -> None:
        try:
            act()
        except _ANYTHING as error:
            self.fault = self.fault or explain_fault(error)
            tracker, self._tracker = self._tracker, None
            if tracker is not None:
                with suppress(*_ANYTHING):
                    tracker.close()


def explain_fault(error: BaseException) -> str:
    """What went wrong, in one line that holds no secret."""
    if is_system_error(error):
        return hide_secrets(str(explain_system_error(error)))
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return cut_text(hide_secrets(f"{type(error).__name__}: {first}".removesuffix(": ")))


def describe_switched_off(records: Iterable[RunRecord]) -> Iterator[str]:
    """A sentence for each tracker that was switched off in runs, with the first reason."""
    runs: dict[str, list[tuple[str, str]]] = {}
    for record in records:
        for warning in (one for one in record.warnings if one.kind == TRACKER_OFF):
            off, _, reason = warning.message.partition(_IN_THIS_RUN)
            runs.setdefault(off, []).append((record.key, reason))
    for off, found in runs.items():
        where = "run" if len(found) == 1 else "runs"
        yield f"{off} in {where} {format_names([key for key, _ in found])}, {_NO_EFFECT}: {found[0][1]}"
