"""The backend of this machine: worker processes that train side by side, or this process.

A worker that dies is replaced, and so is one that says nothing and does nothing; what becomes of its pack is
`backend.Losses`' affair.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from headstart.config.runs import Pack
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.backend import Backend, Losses
from headstart.execute.pool import WorkerPool
from headstart.execute.worker import PackJob
from headstart.execute.worker_process import WorkerProcess
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedStudy
from headstart.processors import share_processors
from headstart.stages import tell_stage
from headstart.store.runs import RunStore
from headstart.training.train_pack import train_pack
from headstart.wording import format_count


@contextmanager
def open_local_backend(study: PreparedStudy, store: RunStore, log: Log = ignore_log) -> Iterator[Backend]:
    """A backend whose processes end with the block, whatever they do.

    Args:
        log: is told of processes that died or are silent.
    """
    backend = LocalBackend(study, store, log)
    try:
        yield backend
    finally:
        backend.stop()


class LocalBackend(WorkerPool):
    """Packs that are known from the start, one to each idle worker until all have ended."""

    def __init__(self, study: PreparedStudy, store: RunStore, log: Log = ignore_log) -> None:
        super().__init__(study, store, log)
        self._losses = Losses(study, store, log)
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
        tell_stage(f"loading models for {format_count(sum(len(pack.runs) for pack in packs), 'run')}")
        while self._waiting or any(worker.pack for worker in self._workers):
            self._send_packs(placement)
            for worker in self._listen([worker for worker in self._workers if worker.pack]):
                if self._receive(worker, on_event) is None:
                    self._replace(worker, on_event)

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """As `StepTimer`; once more where a process died, for the folder keeps what is chosen."""
        return self._time_steps(benchmarks) or self._time_steps(benchmarks)

    def _time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        self._resize(len(benchmarks))
        tell_stage(_describe_timing(benchmarks))
        for place, (worker, benchmark) in enumerate(zip(self._workers, benchmarks, strict=True)):
            processors = share_processors(place, len(benchmarks))
            worker.send(replace(benchmark, processors=processors, gpu=worker.gpu))
        times = self._gather_times()
        if not times:
            self.stop()  # the others may still be at work, and their answers would be taken for later ones
        return times

    def _gather_times(self) -> list[StepTimes]:
        """What each worker has timed, in their order; nothing where one has died."""
        times: dict[int, StepTimes] = {}
        while awaited := [worker for i, worker in enumerate(self._workers) if i not in times]:
            for worker in self._listen(awaited):
                message = self._receive(worker, ignore_events)
                if message is None:
                    return []
                if isinstance(message, StepTimes):
                    times[self._workers.index(worker)] = message
        return [times[i] for i in range(len(self._workers))]

    def _send_packs(self, placement: Placement) -> None:
        """Give each idle worker a pack."""
        for place, worker in enumerate(self._workers):
            if worker.pack is None and self._waiting:
                pack, processors = self._waiting.popleft(), share_processors(place, placement.workers)
                worker.train(PackJob(pack, placement.threads, placement.workers, processors, worker.gpu))

    def _replace(self, worker: WorkerProcess, on_event: OnEvent) -> None:
        """Put a new worker in the place of one that died, and what is left of its pack back first into the
        queue."""
        code = worker.await_end()
        if worker.pack is not None:
            again = self._losses.take_back(worker.pack, code, worker.ended, on_event)
            self._waiting.extendleft(reversed(again))
        self._exchange(worker)


def _describe_timing(benchmarks: Sequence[StepBenchmark]) -> str:
    """Which steps are timed, by the first of the benchmarks: all are of one kind."""
    runs = benchmarks[0].runs
    together = f", {len(runs)} runs together" if len(runs) > 1 else ""
    processes = f" in {len(benchmarks)} processes" if len(benchmarks) > 1 else ""
    return f"timing training steps of {runs[0].arm}{together}{processes}"
