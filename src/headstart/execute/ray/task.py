"""What runs in a Ray task: a pack is trained, steps are timed, or the node is described.

It imports little itself: a task first says that it has begun, and loads torch then.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headstart.config.runs import Pack
from headstart.errors import HeadstartError
from headstart.events import Event, RunEnded
from headstart.execute.ray.calls import Letter, Mailbox, Shared
from headstart.execute.ray.marked_folder import Token
from headstart.files import write_text
from headstart.interrupts import Interrupted, raise_interrupts
from headstart.records import Gpu, RunRecord
from headstart.store.fences import LeaseLostError
from headstart.store.runs import RunStore

if TYPE_CHECKING:
    from headstart.device import Precision
    from headstart.planning.step_benchmark import StepBenchmark, StepTimes

#: Seconds between two letters of one task, and those for which its last ones are awaited.
_LETTER_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 10.0


@dataclass(frozen=True)
class PackOrder:
    """A pack to train with `threads` threads, while `workers` tasks train in all.

    `store` is the study's folder as who ordered it sees it; a node that sees its `token` writes there. One
    that does not trains in a folder of its own, begins at `states`, if any, and calls the study `tracking_id`
    where trackers ask. A sign of life is sent every `beat` seconds.
    """

    attempt: str
    pack: Pack
    threads: int
    workers: int
    study_id: str
    store: RunStore
    token: Token
    beat: float
    states: bytes | None = None
    tracking_id: str | None = None


@dataclass(frozen=True)
class PackAnswer:
    """How a pack's task ended: the records of its runs, or what kept them from being written.

    `results` are what the runs left, as bytes, where the node does not see the study's folder. A task is cut
    short by a signal, or by the loss of its lease.
    """

    records: tuple[RunRecord, ...] = ()
    results: bytes | None = None
    error: HeadstartError | None = None
    is_cut_short: bool = False


@dataclass(frozen=True)
class NodeSurvey:
    """What trains on a node: its processor, its GPUs, and in which format products are faster there."""

    processor: str
    gpus: tuple[Gpu, ...]
    precision: Precision
    supports_bf16: bool


class Reporter:
    """Sends what happens in a task, a letter a second at most, and signs of life between them."""

    def __init__(self, mailbox: Mailbox, attempt: str, beat: float) -> None:
        self._mailbox, self._attempt, self._beat = mailbox, attempt, beat
        self._messages: list[Any] = []
        self._lock, self._end = threading.Lock(), threading.Event()
        self._sent = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True, name="headstart-reporter")

    def on_event(self, event: Event) -> None:
        """Have it sent with the next letter."""
        with self._lock:
            self._messages.append(event)

    def _run(self) -> None:
        while not self._end.wait(min(_LETTER_SECONDS, self._beat)):
            if self._messages or time.monotonic() - self._sent >= self._beat:
                self._send()

    def _send(self) -> None:
        with self._lock:
            messages, self._messages = tuple(self._messages), []
            self._mailbox.put(Letter(self._attempt, messages))
            self._sent = time.monotonic()

    def __enter__(self) -> Reporter:
        self._send()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()
        self._send()
        self._mailbox.flush(_LAST_SECONDS)


def train_pack_in_task(order: PackOrder, study: Shared, mailbox: Mailbox) -> PackAnswer:
    """Train a pack; told to end, it saves its runs' states first."""
    try:
        with Reporter(mailbox, order.attempt, order.beat) as reporter, raise_interrupts():
            return _train(order, study, reporter)
    except LeaseLostError:
        return PackAnswer(is_cut_short=True)
    except HeadstartError as error:
        return PackAnswer(error=error)
    except Interrupted as interrupt:
        if interrupt.signal != signal.SIGINT:  # the node ends, and not this task alone
            os.kill(os.getpid(), interrupt.signal)
        return PackAnswer(is_cut_short=True)


def _train(order: PackOrder, study: Shared, reporter: Reporter) -> PackAnswer:
    import torch

    from headstart.engine.memory import keep_freed_memory
    from headstart.execute.ray.folders import pack_results
    from headstart.execute.ray.shipped import unship_study
    from headstart.execute.worker import throttle_steps
    from headstart.training.train_pack import train_pack

    keep_freed_memory()
    torch.set_num_threads(max(1, order.threads))
    prepared = unship_study(order.study_id, study)
    on_event = throttle_steps(reporter.on_event)
    if order.token.is_seen:
        records = train_pack(order.pack, prepared, order.store, order.workers, on_event)
        return PackAnswer(tuple(records))
    _check_alone(order)

    def tell(event: Event) -> None:
        if not isinstance(event, RunEnded):  # its files are not there yet
            on_event(event)

    with _own_folder(order) as store:
        records = train_pack(order.pack, prepared, store, order.workers, tell)
        return PackAnswer(tuple(records), pack_results(store, order.pack.runs))


def _check_alone(order: PackOrder) -> None:
    """See that the runs need nothing of the study's folder."""
    if any(run.adapted for run in order.pack.runs):
        raise HeadstartError(
            f"node {socket.gethostname()} does not see the study's folder, where adapted weights lie",
            where=str(order.store.out),
            fix="name a folder that all nodes share: out=FOLDER",
        )


@contextmanager
def _own_folder(order: PackOrder) -> Iterator[RunStore]:
    """A folder of this node's own in place of the study's, while the block runs."""
    from headstart.execute.ray.folders import unpack

    folder = Path(tempfile.mkdtemp(prefix="headstart-ray-"))
    store = RunStore(folder)
    try:
        if order.states is not None:
            unpack(order.states, store)
        if order.tracking_id is not None:
            write_text(store.tracking_id_file, order.tracking_id)
        yield store
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def time_steps_in_task(benchmark: StepBenchmark, study_id: str, study: Shared) -> StepTimes:
    """Time steps as a worker process of this machine would."""
    import torch

    from headstart.engine.memory import keep_freed_memory
    from headstart.execute.ray.shipped import unship_study
    from headstart.planning.time_steps import run_step_benchmark

    keep_freed_memory()
    torch.set_num_threads(max(1, benchmark.threads))
    return run_step_benchmark(benchmark, unship_study(study_id, study))


def survey_node(device: str) -> NodeSurvey:
    """What trains here where a study says this device."""
    from headstart.device import choose_device, choose_precision, list_gpus, supports_bf16
    from headstart.store.provenance import describe_processor

    setting: Any = device
    chosen = choose_device(setting)
    precision = choose_precision("auto", chosen)
    return NodeSurvey(describe_processor(), list_gpus(setting), precision, supports_bf16(chosen))
