"""trackio: one run of its local database for each run."""

from __future__ import annotations

import contextvars
import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from headstart.config.trackers import TrackioSettings
from headstart.events import Event
from headstart.trackers.base import BaseTracker, TrackedRun
from headstart.trackers.points import list_points
from headstart.trackers.run_settings import list_settings


class TrackioTracker(BaseTracker):
    """One run: settings as its configuration, and points at the step that was made last before them.

    A later call tells a run whole: what an earlier one left of it is replaced.
    """

    def __init__(self, tracked: TrackedRun, settings: TrackioSettings) -> None:
        self._metric = tracked.study.metric
        if settings.dir is not None:
            _use_folder(Path(settings.dir))
        # In a context of its own: trackio ends the run that was begun last in the same one.
        self._context = contextvars.Context()
        with redirect_stdout(StringIO()):
            self._run = self._context.run(_start_run, tracked, settings)

    def on_event(self, event: Event) -> None:
        """Log what an event brings."""
        for point in list_points(event, self._metric):
            epoch = {"epoch": point.at} if point.by == "epoch" else {}
            self._run.log({**point.values, **epoch}, step=point.step)

    def close(self) -> None:
        """Have the database take what is left."""
        with redirect_stdout(StringIO()):
            self._run.finish()


def _use_folder(folder: Path) -> None:
    """Have trackio write there: it looks at the environment when it is imported, and never again.

    Raises:
        RuntimeError: this process has it write elsewhere.
    """
    os.environ["TRACKIO_DIR"] = str(folder)
    from trackio.utils import TRACKIO_DIR

    if Path(TRACKIO_DIR).resolve() != folder.resolve():
        raise RuntimeError(f"this process already writes to {TRACKIO_DIR}; start another for {folder}")


def _start_run(tracked: TrackedRun, settings: TrackioSettings) -> Any:
    import trackio

    name = f"{tracked.study.name}-{tracked.study.id[:6]}/{tracked.run.key}"
    _remove_earlier(settings.project, name)
    return trackio.init(
        settings.project,
        name=name,
        group=tracked.study.name,
        config=list_settings(tracked.run),
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )


def _remove_earlier(project: str, name: str) -> None:
    """Remove the run from the database, where an earlier call left it there."""
    from trackio import Api

    try:
        runs = list(Api().runs(project))
    except ValueError:  # no such project
        return
    for run in runs:
        if run.name == name:
            run.delete()
