"""Which trackers show each run's curves: TensorBoard, and whatever else is registered here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from headstart.events import Event
from headstart.os_faults import explain_system_error, writing
from headstart.trackers.base import Tracker
from headstart.trackers.tensorboard import TensorBoardTracker

#: Makes the tracker of one run, of the folder for its curves and of the metric that chooses its best epoch.
MakeTracker = Callable[[Path, str], Tracker]

TRACKERS: Final[dict[str, MakeTracker]] = {"tensorboard": TensorBoardTracker}


def register_tracker(name: str, make_tracker: MakeTracker) -> None:
    """Have every run from now on shown by one more tracker."""
    TRACKERS[name] = make_tracker


class RunTrackers(ExitStack):
    """Every tracker of one run; closed at the end of a `with` block."""

    def __init__(self, folder: Path, metric: str) -> None:
        super().__init__()
        self._folder = folder
        self.enter_context(writing(folder))  # left last: what a tracker's end meets is said too
        with writing(folder):
            self._trackers = [make_tracker(folder, metric) for make_tracker in TRACKERS.values()]
        for tracker in self._trackers:
            self.callback(tracker.close)

    def on_event(self, event: Event) -> None:
        """Tell each.

        Raises:
            MachineError: what it writes cannot be written.
        """
        try:
            for tracker in self._trackers:
                tracker.on_event(event)
        except OSError as error:
            raise explain_system_error(error, self._folder) from error
