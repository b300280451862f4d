"""What `headstart run` does: trains what is missing of a study, and finds what its records say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headstart.analysis.results import Results
from headstart.commands.backends import (
    BackendName,
    Trainers,
    end_other_trainers,
    open_backend,
    prepare_backend,
)
from headstart.commands.report_at_end import write_page_at_end
from headstart.config.load import require_study
from headstart.config.study import Study
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.group import refuse_follower
from headstart.execute.open_study import open_study
from headstart.execute.pool import refuse_in_worker
from headstart.experiment import run_missing
from headstart.store.study_lock import hold_study_folder

#: Is told how many runs are about to train.
OnBegin = Callable[[int], None]


def ignore_begin(runs: int) -> None:
    """Listen to nothing."""


def run(
    study: Study,
    on_event: OnEvent = ignore_events,
    log: Log = ignore_log,
    on_begin: OnBegin = ignore_begin,
    *,
    wait: bool = False,
    backend: BackendName = "local",
    address: str | None = None,
    local_workers: bool = True,
) -> Results:
    """Train the missing runs of the study, and return its findings.

    Runs that are done in `study.out` are kept; one that failed is tried again. All three listeners are
    functions and silent by default; `headstart.report.progress.StudyProgress` has a method for each.

    Example:
        study = headstart.load_study("study.yaml")
        with headstart.StudyProgress(study.metric) as progress:  # or leave it out: run is silent then
            results = headstart.run(study, progress.on_event, progress.log, progress.begin)
        print(results)

    Args:
        on_event: is told, in this thread, of every run as it starts, makes steps, ends an epoch, and ends
            (`headstart.events`).
        log: is told in sentences what else goes on: data that are fetched, warnings, what is expected.
        on_begin: is told how many runs are about to train.
        wait: for another process that uses the folder, and then go on from what it has left.
        backend: what trains: "local" is worker processes of this machine, "ray" tasks of a Ray cluster.
        address: of the cluster, such as `10.0.0.1:6379`; else `RAY_ADDRESS`, or the one of this machine.
        local_workers: train here; else the runs wait for `headstart work` on any machine that sees the
            folder, and this process plans, waits and concludes.

    Raises:
        HeadstartError: whatever keeps the study from being run, such as another process that uses its
            folder; a single run that fails is recorded.
    """
    require_study(study)
    refuse_in_worker()
    refuse_follower()
    trainers = Trainers(backend, address, local_workers)
    prepare_backend(study, trainers)
    with hold_study_folder(Path(study.out), wait=wait, log=log) as fence:
        end_other_trainers(Path(study.out), trainers, wait=wait, log=log)
        opened = open_study(study, log, fence=fence)
        on_begin(len(opened.missing) + len(opened.to_come))
        with open_backend(opened, trainers, log) as (opened, opened_backend):
            results = run_missing(opened, opened_backend, on_event)
        return write_page_at_end(results, log, opened)
