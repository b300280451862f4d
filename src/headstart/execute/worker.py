"""A process that does nothing but train: takes packs and benchmarks from a pipe, sends back what happens."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Final

import torch

from headstart import cuda
from headstart.config.runs import Pack
from headstart.engine.memory import keep_freed_memory
from headstart.errors import HeadstartError
from headstart.events import Event, OnEvent, StepDone
from headstart.execute.parent_watch import end_with_parent
from headstart.interrupts import Interrupted, end_by
from headstart.os_faults import MachineError, beginning
from headstart.planning.step_benchmark import StepBenchmark
from headstart.planning.time_steps import run_step_benchmark
from headstart.prepared import PreparedStudy
from headstart.processors import pin_process
from headstart.store.lease import Fence, LeaseLostError
from headstart.store.runs import RunStore
from headstart.training.train_pack import train_pack

#: Seconds between two steps of one run that are told of.
_STEP_INTERVAL: Final = 0.2


@dataclass(frozen=True)
class PackJob:
    """A pack to train with `threads` threads (0: as torch has it) on `processors` (none: as the process is)
    and on the GPU of that number (None: on a CPU), while `workers` processes train in all. `fence` says
    whether the pack is still this machine's, where it was taken by itself."""

    pack: Pack
    threads: int
    workers: int
    processors: tuple[int, ...] = ()
    gpu: int | None = None
    fence: Fence | None = None


@dataclass(frozen=True)
class JobDone:
    """The job that was sent last has ended, and all of its events were sent.

    `error` is what kept its runs from being recorded, a full disk say: then no study can go on.
    """

    error: HeadstartError | None = None


@dataclass(frozen=True)
class Heartbeat:
    """The process lives, whatever it has in hand."""


class _Voice:
    """The pipe's sending end, for the thread that trains and the one that says that the process lives."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def send(self, message: Any) -> None:
        """Send it, whole."""
        with self._lock:
            self._pipe.send(message)

    def beat(self, interval: float) -> None:
        """Say every so many seconds that the process lives, as long as it does and somebody hears it."""
        with suppress(OSError):  # who listened has ended: so will this process
            while True:
                time.sleep(interval)
                self.send(Heartbeat())


def serve_jobs(pipe: Connection, study: PreparedStudy, store: RunStore, beat: float | None = None) -> None:
    """Process jobs from the pipe until it closes, the parent process ends, or it has the folder no more.

    A Job is answered by its events and then a JobDone; a StepBenchmark by its StepTimes. Between them a
    Heartbeat comes every `beat` seconds, if any.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    keep_freed_memory()
    voice = _Voice(pipe)
    try:
        _start_threads(voice, beat)
        _serve(pipe, voice, study, store)
    except MachineError as error:
        voice.send(JobDone(error))  # in place of an answer: no worker can begin here
    except LeaseLostError:
        pass  # the parent will find the same, and say it
    except Interrupted as interrupt:
        end_by(interrupt)


def _start_threads(voice: _Voice, beat: float | None) -> None:
    with beginning("a thread of a worker process"):
        end_with_parent()
        if beat is not None:
            threading.Thread(target=voice.beat, args=(beat,), daemon=True).start()


def _serve(pipe: Connection, voice: _Voice, study: PreparedStudy, store: RunStore) -> None:
    for task in _receive_tasks(pipe):
        pin_process(task.processors)
        if task.gpu is not None:
            cuda.use_gpu(task.gpu)
        if task.threads:
            torch.set_num_threads(task.threads)
        if isinstance(task, PackJob):
            voice.send(_train(task, study, store, throttle_steps(voice.send)))
        else:
            voice.send(run_step_benchmark(task, study))


def _train(job: PackJob, study: PreparedStudy, store: RunStore, on_event: OnEvent) -> JobDone:
    store = store if job.fence is None else replace(store, fence=job.fence)
    try:
        train_pack(job.pack, study, store, job.workers, on_event)
    except HeadstartError as error:
        return JobDone(error)
    return JobDone()


def _receive_tasks(pipe: Connection) -> Iterator[PackJob | StepBenchmark]:
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return  # closed; with a heartbeat in it that nobody has read, it is reset
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
