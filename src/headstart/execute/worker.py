"""A process that does nothing but train: takes packs and probes through a pipe, sends back what happens."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from headstart.config.expand import Pack, Run
from headstart.engine.memory import keep_freed_memory
from headstart.events import EpochDone, Event, OnEvent, RunStarted, StepDone
from headstart.execute.pin import pin
from headstart.execute.probe import Probe, time_steps
from headstart.prepared import PreparedStudy as Prepared
from headstart.records import EpochPoint, RunRecord
from headstart.store.runs import RunStore
from headstart.training.train_pack import train_pack

#: Seconds between two messages about steps of one run.
_EVERY = 0.2


@dataclass(frozen=True)
class Job:
    """A pack to train with `threads` threads (0: as torch has it) on `processors` (none: as the process is),
    while `workers` processes train in all."""

    pack: Pack
    threads: int
    workers: int
    processors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Message:
    """One call of a watcher's method, to be made again in the parent."""

    method: str
    arguments: tuple[Any, ...]


class _Sender:
    """A watcher that sends what it is told; steps at most every `_EVERY` seconds and the last."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._last = pipe, 0.0

    def started(self, run: Run) -> None:
        self._pipe.send(Message("started", (run,)))

    def step(self, run: Run, step: int, total: int, loss: float) -> None:
        now = time.monotonic()
        if now - self._last > _EVERY or step == total:
            self._last = now
            self._pipe.send(Message("step", (run, step, total, loss)))

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        self._pipe.send(Message("epoch", (run, point, best)))

    def ended(self, record: RunRecord) -> None:
        self._pipe.send(Message("ended", (record,)))


def as_handler(watcher: Any) -> OnEvent:
    """Events as calls of a watcher's methods."""

    def on_event(event: Event) -> None:
        if isinstance(event, RunStarted):
            watcher.started(event.run)
        elif isinstance(event, StepDone):
            watcher.step(event.run, event.step, event.total, event.loss)
        elif isinstance(event, EpochDone):
            watcher.epoch(event.run, event.point, event.best)
        else:
            watcher.ended(event.record)

    return on_event


def serve(pipe: Connection, prepared: Prepared, out: Path) -> None:
    """Do what comes through the pipe until it closes.

    A Job is answered by watcher messages and then "idle"; a Probe by seconds per step.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    keep_freed_memory()
    store = RunStore(out)
    for task in _tasks(pipe):
        pin(task.processors)
        if task.threads:
            torch.set_num_threads(task.threads)
        if isinstance(task, Job):
            train_pack(task.pack, prepared, store, task.workers, as_handler(_Sender(pipe)))
            pipe.send("idle")
        else:
            pipe.send(time_steps(task, prepared))


def _tasks(pipe: Connection) -> Iterator[Job | Probe]:
    while True:
        try:
            task = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        yield task
