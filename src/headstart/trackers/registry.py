"""The trackers of a study's runs: of one run, of a pack's, and of the study as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from headstart.config.runs import Run
from headstart.config.section import Section
from headstart.config.study import Study
from headstart.config.trackers import TRACKERS, Trackers, read_settings
from headstart.config.traits import get_task_traits
from headstart.errors import MissingExtraError
from headstart.events import Event, Log, RunEnded, RunStarted
from headstart.records import RunRecord
from headstart.shown import load_object
from headstart.store.layout import StudyLayout
from headstart.trackers.base import End, TrackedRun, TrackedStudy, Tracker, TrackerClass
from headstart.trackers.guard import GuardedTracker, explain_fault
from headstart.wording import Caution


def check_trackers(study: Study) -> None:
    """See that the study's trackers can be used; imports none of them.

    Raises:
        MissingExtraError: a library is not installed.
    """
    check_tracker_libraries(study.trackers)


def check_tracker_libraries(trackers: Trackers) -> None:
    """As `check_trackers`, of the key's value."""
    for traits in (TRACKERS[name] for name in read_settings(trackers)):
        if traits.library and traits.extra and find_spec(traits.library) is None:
            raise MissingExtraError(traits.library, traits.extra, f"trackers: {traits.name}")


class RunTrackers:
    """Every tracker of one run; none of them can end it."""

    def __init__(self, tracked: TrackedRun, settings: Mapping[str, Section]) -> None:
        self._trackers = [
            GuardedTracker(name, partial(_make_tracker, name, tracked, section))
            for name, section in settings.items()
        ]
        self.on_event(RunStarted(tracked.run))

    def on_event(self, event: Event) -> None:
        """Tell each."""
        for tracker in self._trackers:
            tracker.on_event(event)

    def close(self) -> None:
        """Have each finish."""
        for tracker in self._trackers:
            tracker.close()

    @property
    def faults(self) -> list[str]:
        """A sentence for each that was switched off."""
        return [tracker.warning.message for tracker in self._trackers if tracker.warning is not None]

    def end(self, record: RunRecord) -> RunRecord:
        """Tell each that the run has ended, and close it; the record with a warning for each switched off."""
        self.on_event(RunEnded(record))
        self.close()
        faults = (tracker.warning for tracker in self._trackers)
        warnings = (*record.warnings, *(warning for warning in faults if warning is not None))
        return record.model_copy(update={"warnings": warnings})


class PackTrackers:
    """The trackers of each run of a pack, by its key; closed at the end of a `with` block."""

    def __init__(self, study: Study, layout: StudyLayout, runs: Sequence[Run]) -> None:
        tracked, settings = describe_study(study, layout), read_settings(study.trackers)
        self._of_run = {
            run.key: RunTrackers(TrackedRun(tracked, run, layout.get_curves_folder(run.key)), settings)
            for run in runs
        }

    def __getitem__(self, key: str) -> RunTrackers:
        return self._of_run[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for trackers in self._of_run.values():
            trackers.close()


@contextmanager
def track_study(study: Study, layout: StudyLayout, runs: Sequence[Run], log: Log) -> Iterator[None]:
    """A block in which the study's runs train: trackers are told of its begin and end, in this process."""
    with track(describe_study(study, layout), read_settings(study.trackers), runs, log):
        yield


@contextmanager
def track(
    tracked: TrackedStudy, settings: Mapping[str, Section], runs: Sequence[Run], log: Log
) -> Iterator[None]:
    """As `track_study`, of what trackers know of it."""
    for name, section in settings.items():
        with _spare_study(name, log):
            _load_class(name).begin_study(tracked, section, runs)
    end: End = "interrupted"
    try:
        yield
        end = "finished"
    except Exception:
        end = "failed"
        raise
    finally:
        for name, section in settings.items():
            with _spare_study(name, log):
                _load_class(name).end_study(tracked, section, end)


def describe_study(study: Study, layout: StudyLayout) -> TrackedStudy:
    """What trackers know of a study."""
    return TrackedStudy(
        name=layout.out.resolve().name,
        folder=layout.out,
        metric=study.metric,
        metrics=get_task_traits(study.task).metrics,
        id_file=layout.tracking_id_file,
    )


@contextmanager
def _spare_study(name: str, log: Log) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a service does must not end the study
        log(Caution(f"tracker {name}: {explain_fault(error)} (no effect on results)"))


def _make_tracker(name: str, tracked: TrackedRun, settings: Section) -> Tracker:
    return _load_class(name)(tracked, settings)


def _load_class(name: str) -> TrackerClass:
    made: TrackerClass = load_object(TRACKERS[name].implementation)
    return made
