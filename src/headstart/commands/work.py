"""What `headstart work` does: trains packs of a study that waits for workers, wherever its folder is seen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, Literal

from headstart.device import count_gpus
from headstart.errors import HeadstartError, OutputError
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.open_queue import OpenQueue, has_study_of, open_queue
from headstart.execute.pool import preload_workers, refuse_in_worker
from headstart.execute.queue_worker import QueueWorker, Tally
from headstart.machine_memory import measure_free_memory
from headstart.processors import count_processors
from headstart.records.queue import QueueManifest
from headstart.stages import tell_stage
from headstart.store.layout import StudyLayout
from headstart.store.queue_files import QueueFiles
from headstart.store.work_done import Ending, Work

#: Seconds between two looks for a queue, and those for which the study's file may lag behind the queue.
_POLL_SECONDS: Final = 0.5
_LAG_SECONDS: Final = 60.0
#: Of the machine's free memory, the share that workers may take by what was expected of them.
_MEMORY_SHARE: Final = 0.8
#: What no machine trains in.
_MOST_WORKERS: Final = 1_024


def work(
    folder: str | Path,
    on_event: OnEvent = ignore_events,
    log: Log = ignore_log,
    *,
    workers: int | Literal["auto"] = "auto",
    most_packs: int | None = None,
    wait: float = 0.0,
) -> Work:
    """Train packs of the study in `folder`, where `headstart run --no-local-workers` waits for workers.

    Any number of these may be at work, on any machines that see the folder, and the data and checkpoints at
    the paths that the study names. Each takes a pack at a time for each of its processes; what one leaves
    that ends, however it does, another goes on with.

    Example:
        print(headstart.work("runs/study"))

    Args:
        on_event: as in `run`, of the runs that train here.
        log: as in `run`; is told of packs that are taken.
        workers: how many processes train here; `auto`: one for each GPU, else as many as processors and
            memory allow.
        most_packs: how many packs are taken at most; None for all.
        wait: seconds for which a study may be awaited that has not begun yet; one that has ended is not.

    Raises:
        HeadstartError: there is no queue, data or checkpoints differ from the coordinator's, or nothing can
            be trained here, as where the disk is full. A single run that fails is recorded.
    """
    _check_numbers(workers, most_packs, wait)
    refuse_in_worker()
    files, tally, began = QueueFiles(StudyLayout(Path(folder))), Tally(), time.monotonic()
    tell_stage(f"looking for packs in {folder}")
    manifest: QueueManifest | None = _await_queue(files, wait, log)
    ending: Ending = "closed"
    while manifest is not None and manifest.state == "open":
        preload_workers()
        queue = open_queue(files, manifest, log)
        worker = QueueWorker(queue, manifest, tally, on_event, log, most_packs=most_packs)
        ending = worker.work(_count_workers(workers, worker, queue))
        if ending != "changed":
            break
        manifest = _await_study(files)
    seconds = time.monotonic() - began
    return Work(Path(folder), tally.packs, tuple(tally.done), tuple(tally.failed), seconds, ending)


def _check_numbers(workers: int | Literal["auto"], most_packs: int | None, wait: float) -> None:
    if workers != "auto" and not 1 <= workers <= _MOST_WORKERS:
        raise HeadstartError(str(workers), where="--workers", expected=f"auto, or 1 to {_MOST_WORKERS:,}")
    if most_packs is not None and most_packs < 1:
        raise HeadstartError(str(most_packs), where="--most-packs", expected="1 or more")
    if not 0 <= wait < float("inf"):
        raise HeadstartError(f"{wait:g}", where="--wait", expected="seconds, 0 or more")


def _await_queue(files: QueueFiles, seconds: float, log: Log) -> QueueManifest:
    """The queue as soon as there is one; that of a study which has ended is not waited for to be another's.

    Raises:
        OutputError: there is none after so many seconds.
    """
    until = time.monotonic() + seconds
    while True:
        manifest = _await_study(files)
        if manifest is not None:
            if manifest.state == "closed":
                log(f"the study in {files.layout.out} has ended: there is nothing to train")
            return manifest
        if time.monotonic() >= until:
            break
        tell_stage(f"waiting for packs in {files.layout.out}")
        time.sleep(_POLL_SECONDS)
    raise OutputError(
        "no study waits for workers there",
        where=str(files.layout.out),
        expected="the folder of a study that headstart run --no-local-workers has begun",
        fix="begin it with headstart run STUDY --no-local-workers; or wait for it: --wait 600",
    )


def _await_study(files: QueueFiles) -> QueueManifest | None:
    """The manifest, as soon as the folder holds its study: that is written first, and either may lag."""
    until = time.monotonic() + _LAG_SECONDS
    while True:
        manifest = files.read_manifest()
        is_settled = manifest is None or manifest.state == "closed" or has_study_of(files, manifest)
        if is_settled or time.monotonic() >= until:
            return manifest
        time.sleep(_POLL_SECONDS)


def _count_workers(asked: int | Literal["auto"], worker: QueueWorker, queue: OpenQueue) -> int:
    """How many processes train: as asked, one for each GPU, or as many as processors and memory allow."""
    if asked != "auto":
        return asked
    if gpus := count_gpus(queue.study.device):
        return gpus
    threads = worker.threads or count_processors()
    expected = [pack.estimate.memory_bytes for pack in worker.packs if pack.estimate]
    largest = max((size.high for size in expected if size), default=0.0)
    fitting = _MEMORY_SHARE * measure_free_memory() / largest if largest else float("inf")
    return max(1, int(min(count_processors() // threads, fitting)))
