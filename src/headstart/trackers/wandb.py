"""Weights & Biases: one run of a group for each run; offline unless the study says otherwise."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, Final

from headstart.config.trackers import WandbSettings
from headstart.events import Event, RunEnded
from headstart.trackers.base import BaseTracker, TrackedRun
from headstart.trackers.points import Point, list_points
from headstart.trackers.run_settings import list_settings

#: What holds unless the user's environment says otherwise: nothing is told to W&B's makers.
_DEFAULTS: Final = {"WANDB_ERROR_REPORTING": "false"}
#: Each figure is drawn over the step or epoch that it is of.
_AXES: Final = {"train/*": "step", "valid/*": "epoch", "test/*": "epoch", "best/*": "epoch"}


class WandbTracker(BaseTracker):
    """One run: settings as its configuration, points as its history, and how it ended as its exit code.

    A run's id is the same in each call, so that the service goes on with it. Offline, a later call tells a
    run whole, and what an earlier one left of it is removed unless it was synced.
    """

    def __init__(self, tracked: TrackedRun, settings: WandbSettings) -> None:
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        self._metric, self._exit_code = tracked.study.metric, 1
        self._run = _start_run(tracked, settings)
        for axis in set(_AXES.values()):
            self._run.define_metric(axis, hidden=True)
        for tags, axis in _AXES.items():
            self._run.define_metric(tags, step_metric=axis)
        self._last = {axis: self._run.summary.get(axis, -1) for axis in _AXES.values()}

    def on_event(self, event: Event) -> None:
        """Log what an event brings."""
        for point in list_points(event, self._metric):
            self._log(point)
        if isinstance(event, RunEnded):
            self._run.summary["status"] = event.record.status
            if event.record.best_epoch is not None:
                self._run.summary["best_epoch"] = event.record.best_epoch
            self._exit_code = 0 if event.record.status == "done" else 1

    def close(self) -> None:
        """Have the service take what is left."""
        self._run.finish(exit_code=self._exit_code)

    def _log(self, point: Point) -> None:
        """Log it, unless an earlier call has: a run's figures are the same in each."""
        if point.at > self._last[point.by]:
            self._run.log({**point.values, point.by: point.at})


def _start_run(tracked: TrackedRun, settings: WandbSettings) -> Any:
    import wandb

    if settings.mode == "online" and not wandb.api.api_key:  # else it asks for one
        raise RuntimeError("no API key; run `wandb login`, or set WANDB_API_KEY")
    id_ = hashlib.sha256(tracked.id.encode()).hexdigest()[:16]
    if settings.mode == "offline":
        _remove_unsynced(tracked.study.folder / "wandb", id_)
    return wandb.init(
        project=settings.project,
        entity=settings.entity,
        group=tracked.study.name,
        job_type=tracked.run.arm,
        name=tracked.run.key,
        id=id_,
        dir=str(tracked.study.folder),
        config=list_settings(tracked.run),
        resume="allow" if settings.mode == "online" else None,
        reinit="create_new",
        settings=wandb.Settings(
            mode=settings.mode,
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
        ),
    )


def _remove_unsynced(folder: Path, id_: str) -> None:
    """Remove what earlier calls wrote of a run, where no service has it."""
    for earlier in folder.glob(f"offline-run-*-{id_}"):
        if not any(earlier.glob("*.synced")):
            shutil.rmtree(earlier, ignore_errors=True)
