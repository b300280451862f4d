"""The backend of this machine: worker processes that train side by side, or this process.

A worker that dies (killed for memory, say) is replaced; its pack is tried again in halves, and a run that was
alone has failed.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from headstart.config.runs import Pack
from headstart.device import count_gpus
from headstart.errors import HeadstartError
from headstart.events import OnEvent
from headstart.execute.backend import Backend, split_lost_pack
from headstart.execute.worker import JobDone, PackJob, serve_jobs
from headstart.os_faults import beginning
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedStudy
from headstart.processors import share_processors
from headstart.store.runs import RunStore
from headstart.training.train_pack import train_pack

_MODULES = "headstart.execute.worker"
_SAFE_PATH = "PYTHONSAFEPATH"


def preload_workers() -> None:
    """Begin loading torch for the workers in the background, while the caller reads data.

    Workers are forked from one server process that has loaded everything once.

    Raises:
        HeadstartError: this is a worker that imports the main script.
    """
    refuse_in_worker()
    context = _choose_context()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([_MODULES])
        from multiprocessing.forkserver import ensure_running

        with _keep_out_current_folder(), beginning("the server of worker processes"):
            ensure_running()


@contextmanager
def _keep_out_current_folder() -> Iterator[None]:
    """Have processes that are begun here import nothing from the current folder, whatever lies there.

    multiprocessing begins them by `python -c`, which looks there first: a `torch.py` would be run. What the
    main script itself imports from is handed to workers afterwards, as it is there.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


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


@contextmanager
def open_local_backend(study: PreparedStudy, store: RunStore) -> Iterator[Backend]:
    """A backend whose processes end with the block, whatever they do."""
    backend = LocalBackend(study, store)
    try:
        yield backend
    finally:
        backend.stop()


class _Worker:
    """One process, its pipe, its GPU if it has one, and the pack it has in hand."""

    def __init__(self, context: BaseContext, study: PreparedStudy, store: RunStore, gpu: int | None) -> None:
        self.gpu = gpu
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=serve_jobs, args=(theirs, study, store), daemon=True
        )
        with _keep_out_current_folder(), beginning("a worker process"):
            self.process.start()
        theirs.close()
        self.pack: Pack | None = None

    def stop(self) -> None:
        """End the process, whatever it does: what it has not finished is not on disk."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


class LocalBackend:
    """Worker processes, begun when they are needed and kept until they are not."""

    def __init__(self, study: PreparedStudy, store: RunStore) -> None:
        self._study, self._store = study, store
        self._context = _choose_context()
        self._workers: list[_Worker] = []
        self._waiting: deque[Pack] = deque()

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """As `Backend`: in this process where the placement has no workers, else one pack to each idle
        worker until all have ended."""
        if placement.workers == 0:
            for pack in packs:
                train_pack(pack, self._study, self._store, 1, on_event)
            return
        self._waiting = deque(packs)
        self._resize(placement.workers)
        while self._waiting or any(worker.pack for worker in self._workers):
            self._send_packs(placement)
            busy = {worker.pipe: worker for worker in self._workers if worker.pack}
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                self._receive(busy[pipe], on_event)

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """As `StepTimer`."""
        self._resize(len(benchmarks))
        try:
            for place, (worker, benchmark) in enumerate(zip(self._workers, benchmarks, strict=True)):
                processors = share_processors(place, len(benchmarks))
                worker.pipe.send(replace(benchmark, processors=processors, gpu=worker.gpu))
            return [worker.pipe.recv() for worker in self._workers]
        except (EOFError, OSError):
            self.stop()  # the others may still be at work, and their answers would be taken for later ones
            return []

    def stop(self) -> None:
        """End all processes, whatever they do."""
        self._resize(0)

    def _resize(self, count: int) -> None:
        """Have exactly `count` workers, alive."""
        for dead in [worker for worker in self._workers if not worker.process.is_alive()]:
            self._workers.remove(dead)
            dead.stop()
        while len(self._workers) > count:
            self._workers.pop().stop()
        while len(self._workers) < count:
            self._workers.append(self._start_worker(self._choose_gpu()))

    def _start_worker(self, gpu: int | None) -> _Worker:
        return _Worker(self._context, self._study, self._store, gpu)

    def _choose_gpu(self) -> int | None:
        """The GPU that the fewest workers have, the first of equals; None where the study trains on a CPU.

        A worker keeps its GPU: on another it would leave a context of CUDA's behind.
        """
        taken = Counter(worker.gpu for worker in self._workers)
        return min(range(count_gpus(self._study.study.device)), key=lambda gpu: taken[gpu], default=None)

    def _send_packs(self, placement: Placement) -> None:
        """Give each idle worker a pack."""
        for place, worker in enumerate(self._workers):
            if worker.pack is None and self._waiting:
                worker.pack = self._waiting.popleft()
                processors = share_processors(place, placement.workers)
                job = PackJob(worker.pack, placement.threads, placement.workers, processors, worker.gpu)
                with suppress(OSError):  # one that died idle is noticed when its pipe is read
                    worker.pipe.send(job)

    def _receive(self, worker: _Worker, on_event: OnEvent) -> None:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker, on_event)
            return
        if isinstance(message, JobDone):
            worker.pack = None
            if message.error is not None:
                raise message.error
        else:
            on_event(message)

    def _replace(self, worker: _Worker, on_event: OnEvent) -> None:
        """Put a new worker in the place of one that died, and what is left of its pack back first into the
        queue."""
        worker.process.join()
        code = worker.process.exitcode or 0
        pack, worker.pack = worker.pack, None
        if pack is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            again = split_lost_pack(pack, how, self._study, self._store, on_event)
            self._waiting.extendleft(reversed(again))
        self._workers[self._workers.index(worker)] = self._start_worker(worker.gpu)
        worker.stop()
