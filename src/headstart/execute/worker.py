"""A process that does nothing but train: takes packs and benchmarks from a pipe, sends back what happens."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, Final

import torch

from headstart import cuda
from headstart.config.runs import Pack
from headstart.device import choose_device
from headstart.engine.memory import is_out_of_memory, keep_freed_memory
from headstart.engine.seat import Seat, leave_seat, take_seat
from headstart.errors import HeadstartError, TrainingError
from headstart.events import Event, OnEvent, StepDone
from headstart.execute.parent_watch import end_with_parent
from headstart.interrupts import Interrupted, end_by
from headstart.os_faults import MachineError, beginning, explain_system_error, is_of_the_machine
from headstart.planning.step_benchmark import StepBenchmark
from headstart.planning.time_steps import run_step_benchmark
from headstart.prepared import PreparedStudy
from headstart.processors import pin_process
from headstart.store.fences import Fence, LeaseLostError
from headstart.store.runs import RunStore
from headstart.training.group_training import GroupBrokenError, follow_pack
from headstart.training.train_pack import train_pack

#: Seconds between two steps of one run that are told of.
_STEP_INTERVAL: Final = 0.2
#: In messages of torch's groups where others have ended, or do not answer.
_ECHOES: Final = ("onnection", "imed out", "imeout", "Broken pipe", "ProcessGroup", "NCCL")


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
class GroupJob(PackJob):
    """A pack of one run to train together with other processes, each of which has a seat of its own.

    It is answered by its events, of who leads, and then a JobDone or a SeatLost.
    """

    seat: Seat = field(kw_only=True)


@dataclass(frozen=True)
class SeatLost:
    """What keeps this process from going on in its group: an error that a user can mend, or a traceback.

    `is_echo` says that it heard no more of the others, who may know why.
    """

    error: HeadstartError
    traceback: str | None
    is_echo: bool


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
            on_event = throttle_steps(voice.send)
            if isinstance(task, GroupJob):
                voice.send(_train_in_group(task, study, store, on_event))
            else:
                voice.send(_train(task, study, store, on_event))
        else:
            voice.send(run_step_benchmark(task, study))


def _train(job: PackJob, study: PreparedStudy, store: RunStore, on_event: OnEvent) -> JobDone:
    store = store if job.fence is None else replace(store, fence=job.fence)
    try:
        train_pack(job.pack, study, store, job.workers, on_event)
    except HeadstartError as error:
        return JobDone(error)
    return JobDone()


def _train_in_group(
    job: GroupJob, study: PreparedStudy, store: RunStore, on_event: OnEvent
) -> JobDone | SeatLost:
    """Train as one of a group. Who cannot go on says so before the others can notice."""
    try:
        group = take_seat(job.seat, choose_device(study.study.device))
        if group.leads:
            train_pack(job.pack, study, store, job.workers, on_event, group)
        else:
            follow_pack(job.pack, study, store, group)
    except HeadstartError as error:
        return JobDone(error)
    except GroupBrokenError as broken:
        return _explain_lost_seat(broken.__cause__ or broken)
    except (RuntimeError, OSError) as error:  # the others did not come, or their store is gone
        return _explain_lost_seat(error)
    leave_seat()
    return JobDone()


def _explain_lost_seat(error: BaseException) -> SeatLost:
    if isinstance(error, HeadstartError):
        return SeatLost(error, None, is_echo=False)
    if is_out_of_memory(error):
        fix = "lower training.batch_size (and raise training.accumulation), or training.max_length"
        return SeatLost(TrainingError("out of memory", fix=fix), None, is_echo=False)
    if is_of_the_machine(error):
        return SeatLost(explain_system_error(error), None, is_echo=False)
    trace = "".join(traceback.format_exception(error))
    first = str(error).strip().partition("\n")[0]
    is_echo = any(word in str(error) for word in _ECHOES)
    return SeatLost(TrainingError(f"{type(error).__name__}: {first}"), trace, is_echo)


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
