"""MLflow: a run for the study, and nested in it one for each of its runs; a later call goes on with them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from headstart.config.runs import Run
from headstart.config.trackers import MlflowSettings
from headstart.events import EpochDone, Event, RunEnded, RunStarted
from headstart.records import RunRecord
from headstart.trackers.base import BaseTracker, End, TrackedRun, TrackedStudy
from headstart.trackers.points import Point, list_points
from headstart.trackers.run_settings import list_settings
from headstart.trackers.secrets import hide_secrets

#: What a run is found by in a later call.
_ID_TAG: Final = "headstart.id"
_EXPERIMENT: Final = "headstart"
#: MLflow takes so many metrics at once.
_MOST_AT_ONCE: Final = 1000
#: MLflow's words for how runs end.
_STATUS: Final[dict[End, str]] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
#: What holds unless the user's environment says otherwise: nothing is told to MLflow's makers, its log is
#: quiet, and a server that is away is given up within seconds, not minutes.
_DEFAULTS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class _Server:
    """Where MLflow keeps runs: its client, and the experiment."""

    def __init__(self, study: TrackedStudy, settings: MlflowSettings) -> None:
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow import MlflowClient

        uri = settings.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        uri = uri or f"sqlite:///{study.folder.resolve() / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=uri)
        self.experiment: str = self._find_experiment(settings.experiment or _EXPERIMENT)

    def _find_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        if (found := self.client.get_experiment_by_name(name)) is not None:
            return str(found.experiment_id)
        try:
            return str(self.client.create_experiment(name))
        except MlflowException:  # another process has, meanwhile
            if (found := self.client.get_experiment_by_name(name)) is None:
                raise
            return str(found.experiment_id)

    def find_run(self, id_: str) -> str | None:
        """MLflow's id of the run that has this one of ours."""
        found = self.client.search_runs([self.experiment], f"tags.`{_ID_TAG}` = '{id_}'", max_results=1)
        return str(found[0].info.run_id) if found else None

    def start_run(self, id_: str, name: str, tags: dict[str, str]) -> str:
        """Begin the run, or go on with it; gives MLflow's id."""
        if (found := self.find_run(id_)) is not None:
            self.client.update_run(found, "RUNNING")
            return found
        made = self.client.create_run(self.experiment, run_name=name, tags={_ID_TAG: id_, **tags})
        return str(made.info.run_id)


class MlflowTracker(BaseTracker):
    """One run: settings as parameters, points as metrics by step or epoch, and how it ended as its status."""

    def __init__(self, tracked: TrackedRun, settings: MlflowSettings) -> None:
        self._metric, self._ended = tracked.study.metric, False
        self._server = _Server(tracked.study, settings)
        parent = self._server.find_run(tracked.study.id)
        tags = {"arm": tracked.run.arm} | ({"mlflow.parentRunId": parent} if parent else {})
        self._run = self._server.start_run(tracked.id, tracked.run.key, tags)
        self._last = _read_last(self._server.client, self._run)
        self._waiting: list[Any] = []

    @classmethod
    def begin_study(cls, study: TrackedStudy, settings: MlflowSettings, runs: Sequence[Run]) -> None:
        """Begin the study's own run, in which the others are nested."""
        _Server(study, settings).start_run(study.id, study.name, {})

    @classmethod
    def end_study(cls, study: TrackedStudy, settings: MlflowSettings, end: End) -> None:
        """End the study's own run."""
        server = _Server(study, settings)
        if (run := server.find_run(study.id)) is not None:
            server.client.set_terminated(run, _STATUS[end])

    def on_event(self, event: Event) -> None:
        """Log what an event brings; steps with their epoch."""
        if isinstance(event, RunStarted):
            self._log_settings(event.run)
        for point in list_points(event, self._metric):
            self._waiting += self._make_metrics(point)
        if isinstance(event, EpochDone) or len(self._waiting) >= _MOST_AT_ONCE:
            self._flush()
        if isinstance(event, RunEnded):
            self._end(event.record)

    def close(self) -> None:
        """Log what is left; a run that has not ended is one that was interrupted."""
        self._flush()
        if not self._ended:
            self._server.client.set_terminated(self._run, _STATUS["interrupted"])

    def _log_settings(self, run: Run) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in list_settings(run).items()]
        self._server.client.log_batch(self._run, params=params)

    def _make_metrics(self, point: Point) -> Iterator[Any]:
        """Those that are not there from an earlier call: a run's figures are the same in each."""
        from mlflow.entities import Metric

        for tag, value in point.values.items():
            if point.at > self._last.get(tag, -1):
                yield Metric(tag, value, int(time.time() * 1000), point.at)

    def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            self._server.client.log_batch(self._run, metrics=batch)

    def _end(self, record: RunRecord) -> None:
        self._flush()
        if record.best_epoch is not None:
            self._server.client.set_tag(self._run, "best_epoch", str(record.best_epoch))
        if record.error:
            self._server.client.set_tag(self._run, "error", hide_secrets(record.error))
        self._server.client.set_terminated(
            self._run, _STATUS["finished" if record.status == "done" else "failed"]
        )
        self._ended = True


def _read_last(client: Any, run: str) -> dict[str, int]:
    """The last step or epoch of each metric that is there."""
    known = client.get_run(run).data.metrics
    return {tag: max(metric.step for metric in client.get_metric_history(run, tag)) for tag in known}
