"""Worker processes of this machine: begun when they are needed, listened to, replaced, and ended."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import Final

from headstart.device import count_gpus
from headstart.errors import HeadstartError
from headstart.events import Event, Log, OnEvent, RunEnded, ignore_log
from headstart.execute.safe_start import keep_out_current_folder, keep_out_interrupts
from headstart.execute.silence import SilenceWatch
from headstart.execute.worker import JobDone
from headstart.execute.worker_process import WorkerProcess, read_patience
from headstart.os_faults import beginning
from headstart.prepared import PreparedStudy
from headstart.stages import tell_stage
from headstart.store.runs import RunStore
from headstart.wording import format_count

#: What the server of workers loads, in this order.
_MODULES: Final = tuple(f"headstart.execute.{name}" for name in ("server_loading", "worker", "server_loaded"))


def preload_workers() -> None:
    """Begin loading torch for the workers in the background, while the caller reads data.

    Workers are forked from one server process that has loaded everything once.

    Raises:
        HeadstartError: this is a worker that imports the main script.
    """
    refuse_in_worker()
    context = _choose_context()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(list(_MODULES))
        from multiprocessing.forkserver import ensure_running

        with beginning("the server of worker processes"), keep_out_current_folder(), keep_out_interrupts():
            ensure_running()


def refuse_in_worker() -> None:
    """See that this is no worker: a script that trains at its top level would train again in each that
    imports it.

    Raises:
        HeadstartError: this is a worker that imports the main script.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise HeadstartError(
            "a study was started while a worker process was importing the main script",
            fix='put the call under `if __name__ == "__main__":`, or set workers to 0',
        )


def _choose_context() -> BaseContext:
    """Workers come from a server without threads of its own; where there is none, from new processes."""
    known = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in known else "spawn")


class WorkerPool:
    """Worker processes, begun when they are needed and kept until they are not."""

    def __init__(self, study: PreparedStudy, store: RunStore, log: Log = ignore_log) -> None:
        self._study, self._store, self._log = study, store, log
        self._context = _choose_context()
        self._patience = read_patience()
        self._silence = SilenceWatch(self._patience, log)
        self._workers: list[WorkerProcess] = []

    def _listen(self, workers: Sequence[WorkerProcess], seconds: float | None = None) -> list[WorkerProcess]:
        """Those that have said something, or died; none where for a heartbeat, or so many seconds, none has.
        Ends silent ones."""
        began = time.monotonic()
        ready = set(wait([worker.pipe for worker in workers], seconds or self._patience.beat))
        # At most this: had this process been stopped, nobody would have been silent.
        waited = min(time.monotonic() - began, 2 * self._patience.beat)
        for worker in workers:
            if worker.pipe not in ready:
                worker.wait_longer(waited)
                self._silence.check(worker)
        return [worker for worker in workers if worker.pipe in ready]

    def _receive(self, worker: WorkerProcess, on_event: OnEvent) -> object | None:
        """Take what a worker says, and pass on what happens to runs; None where it has died instead.

        Raises:
            HeadstartError: what kept the runs of its pack from being recorded.
        """
        try:
            message: object = worker.pipe.recv()
        except (EOFError, OSError):
            return None
        worker.hear(message)
        if isinstance(message, JobDone):
            worker.pack = None
            if message.error is not None:
                raise message.error
        elif isinstance(message, Event):
            if isinstance(message, RunEnded):
                worker.ended.add(message.record.key)
            on_event(message)
        return message

    def stop(self) -> None:
        """End all processes, whatever they do."""
        self._resize(0)

    def _resize(self, count: int) -> None:
        """Have exactly `count` workers, alive."""
        alive = [worker for worker in self._workers if worker.process.is_alive()]
        ending = [worker for worker in self._workers if worker not in alive] + alive[count:]
        self._workers = alive[:count]
        for worker in ending:  # all at once: each may take its time
            worker.ask_to_end()
        for worker in ending:
            worker.stop()
        if len(self._workers) < count:
            tell_stage(f"starting {format_count(count, 'worker process', 'worker processes')}")
        while len(self._workers) < count:
            self._workers.append(self._start_worker(self._choose_gpu()))

    def _start_worker(self, gpu: int | None) -> WorkerProcess:
        return WorkerProcess(self._context, self._study, self._store, gpu, self._patience)

    def _choose_gpu(self) -> int | None:
        """The GPU that the fewest workers have, the first of equals; None where the study trains on a CPU.

        A worker keeps its GPU: on another it would leave a context of CUDA's behind.
        """
        taken = Counter(worker.gpu for worker in self._workers)
        return min(range(count_gpus(self._study.study.device)), key=lambda gpu: taken[gpu], default=None)

    def _exchange(self, worker: WorkerProcess) -> WorkerProcess:
        """Put a new worker in the place of one that died; gives the new one."""
        worker.pack = None
        new = self._workers[self._workers.index(worker)] = self._start_worker(worker.gpu)
        worker.stop()
        return new
