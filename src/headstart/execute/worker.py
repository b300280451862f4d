"""A process that does nothing but train: takes packs and benchmarks from a pipe, sends back what happens."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import torch

from headstart import cuda
from headstart.config.runs import Pack
from headstart.engine.memory import keep_freed_memory
from headstart.errors import HeadstartError
from headstart.events import Event, OnEvent, StepDone
from headstart.execute.parent_watch import end_with_parent
from headstart.planning.step_benchmark import StepBenchmark
from headstart.planning.time_steps import run_step_benchmark
from headstart.prepared import PreparedStudy
from headstart.processors import pin_process
from headstart.store.lease import LeaseLostError
from headstart.store.runs import RunStore
from headstart.training.train_pack import train_pack

#: Seconds between two steps of one run that are told of.
_STEP_INTERVAL: Final = 0.2


@dataclass(frozen=True)
class PackJob:
    """A pack to train with `threads` threads (0: as torch has it) on `processors` (none: as the process is)
    and on the GPU of that number (None: on a CPU), while `workers` processes train in all."""

    pack: Pack
    threads: int
    workers: int
    processors: tuple[int, ...] = ()
    gpu: int | None = None


@dataclass(frozen=True)
class JobDone:
    """The job that was sent last has ended, and all of its events were sent.

    `error` is what kept its runs from being recorded, a full disk say: then no study can go on.
    """

    error: HeadstartError | None = None


def serve_jobs(pipe: Connection, study: PreparedStudy, store: RunStore) -> None:
    """Process jobs from the pipe until it closes, the parent process ends, or it has the folder no more.

    A Job is answered by its events and then a JobDone; a StepBenchmark by its StepTimes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    end_with_parent()
    keep_freed_memory()
    with suppress(LeaseLostError):  # the parent will find the same, and say it
        _serve(pipe, study, store)


def _serve(pipe: Connection, study: PreparedStudy, store: RunStore) -> None:
    for task in _receive_tasks(pipe):
        pin_process(task.processors)
        if task.gpu is not None:
            cuda.use_gpu(task.gpu)
        if task.threads:
            torch.set_num_threads(task.threads)
        if isinstance(task, PackJob):
            pipe.send(_train(task, study, store, throttle_steps(pipe.send)))
        else:
            pipe.send(run_step_benchmark(task, study))


def _train(job: PackJob, study: PreparedStudy, store: RunStore, on_event: OnEvent) -> JobDone:
    try:
        train_pack(job.pack, study, store, job.workers, on_event)
    except HeadstartError as error:
        return JobDone(error)
    return JobDone()


def _receive_tasks(pipe: Connection) -> Iterator[PackJob | StepBenchmark]:
    while True:
        try:
            task = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        yield task


def throttle_steps(on_event: OnEvent) -> OnEvent:
    """Pass every event on, but of each run's steps at most one in `_STEP_INTERVAL` seconds, and its last.

    A step can take less than a message does, and who listens is a person.
    """
    passed: dict[str, float] = {}

    def pass_on(event: Event) -> None:
        if isinstance(event, StepDone) and event.step < event.total:
            now = time.monotonic()
            if now - passed.get(event.run.key, float("-inf")) <= _STEP_INTERVAL:
                return
            passed[event.run.key] = now
        on_event(event)

    return pass_on
