"""The backend of studies with `parallel`: the processes of this machine train one run after another together.

None of them watches the others: this process, which is in no group, hears of each how it ends. Where one
cannot go on the others wait for it in vain, so all are ended, and the run has failed by what the first said.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headstart.config.parallel import Parallel
from headstart.config.runs import Pack
from headstart.config.traits import get_method_traits
from headstart.engine.seat import Seat
from headstart.errors import HeadstartError, TrainingError
from headstart.events import Log, OnEvent, RunEnded, ignore_log
from headstart.execute.backend import Backend, describe_end
from headstart.execute.local import LocalBackend, open_local_backend
from headstart.execute.worker import GroupJob, Heartbeat, JobDone, SeatLost
from headstart.execute.worker_process import WorkerProcess
from headstart.planning.parallel import count_ranks
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedStudy
from headstart.processors import share_processors
from headstart.stages import tell_stage
from headstart.store.runs import RunStore
from headstart.training.run_records import make_failed_record
from headstart.wording import format_count

#: Seconds for which the others may still say why, once one of them has ended or heard no more of them.
_GRACE: Final = 3.0


@contextmanager
def open_backend(study: PreparedStudy, store: RunStore, log: Log = ignore_log) -> Iterator[Backend]:
    """The backend of this machine that suits the study; its processes end with the block.

    Args:
        log: is told of processes that died or are silent.
    """
    if study.study.parallel is None:
        with open_local_backend(study, store, log) as local:
            yield local
        return
    backend = GroupBackend(study, store, study.study.parallel, log)
    try:
        yield backend
    finally:
        backend.stop()


@dataclass(frozen=True)
class _Loss:
    """What kept one process of a group from going on, and whether it only heard no more of the others."""

    name: str
    error: HeadstartError
    traceback: str | None = None
    is_echo: bool = False


class GroupBackend(LocalBackend):
    """Worker processes, each on a device of its own, that train each run together."""

    def __init__(
        self, study: PreparedStudy, store: RunStore, parallel: Parallel, log: Log = ignore_log
    ) -> None:
        super().__init__(study, store, log)
        self._parallel = parallel
        self._size = count_ranks(study.study)
        self._turn = 0

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """As `Backend`: what trains by steps in groups, the rest in one process each."""
        stepping = [pack for pack in packs if get_method_traits(pack.runs[0].method).has_steps]
        rest = [pack for pack in packs if pack not in stepping]
        if stepping:
            self._resize(self._size)
            tell_stage(f"loading models for {format_count(len(stepping), 'run')}")
        for pack in stepping:
            self._train_together(pack, placement, on_event)
        if rest:
            super().run_packs(rest, replace(placement, workers=1, ranks=1), on_event)

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """None: a step of a group is not timed."""
        return []

    def _train_together(self, pack: Pack, placement: Placement, on_event: OnEvent) -> None:
        self._turn += 1
        with tempfile.TemporaryDirectory(prefix="headstart-group-") as folder:
            for rank, worker in enumerate(self._workers):
                self._seat(worker, pack, placement, rank, folder)
            losses = self._hear_all(on_event)
        if losses:
            self._fail(pack, losses, on_event)

    def _seat(self, worker: WorkerProcess, pack: Pack, placement: Placement, rank: int, folder: str) -> None:
        kind, timeout = self._parallel.kind, self._parallel.timeout
        seat = Seat(kind, rank, self._size, self._turn, timeout, str(Path(folder) / "meeting"))
        processors = share_processors(rank, self._size)
        worker.take(pack)
        job = GroupJob(pack, placement.threads, 1, processors, worker.gpu, seat=seat)
        with suppress(OSError):  # one that died idle is noticed when its pipe is read
            worker.pipe.send(job)

    def _hear_all(self, on_event: OnEvent) -> list[_Loss]:
        """Hear all processes until each is done; or, where one cannot go on, why, and shortly the others."""
        losses: list[_Loss] = []
        deadline = float("inf")
        while (busy := [w for w in self._workers if w.pack]) and time.monotonic() < deadline:
            for worker in self._listen(busy, min(self._patience.beat, _GRACE) if losses else None):
                loss = self._hear(worker, on_event)
                if loss is not None:
                    losses.append(loss)
                    worker.pack = None
                    deadline = min(deadline, time.monotonic() + _GRACE)
            if any(not loss.is_echo for loss in losses):
                break
        return losses

    def _hear(self, worker: WorkerProcess, on_event: OnEvent) -> _Loss | None:
        """Take what a process says; what keeps it from going on, if that is it."""
        name = f"process {self._workers.index(worker) + 1} of {self._size}"
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return _Loss(name, TrainingError(describe_end(worker.await_end()), fix=_MEMORY_ADVICE))
        worker.hear(message)
        if not isinstance(message, Heartbeat):
            for other in self._workers:
                other.quiet = 0.0  # the first process speaks for all
        if isinstance(message, SeatLost):
            return _Loss(name, message.error, message.traceback, message.is_echo)
        if isinstance(message, JobDone):
            worker.pack = None
            if message.error is not None:
                raise message.error
        elif not isinstance(message, Heartbeat):
            if isinstance(message, RunEnded):
                worker.ended.add(message.record.key)
            on_event(message)
        return None

    def _fail(self, pack: Pack, losses: Sequence[_Loss], on_event: OnEvent) -> None:
        """End all processes, and record that the run has failed, unless it had ended before."""
        told = {key for worker in self._workers for key in worker.ended}
        for worker in self._workers:
            worker.kill()  # it waits for the others, and hears nothing else
        self._resize(0)
        if not self._losses.finish_recorded(pack, told, on_event):
            loss = next((each for each in losses if not each.is_echo), losses[0])
            record = make_failed_record(self._study.select(pack.runs[0]), self._explain(pack, loss))
            record = record.model_copy(update={"traceback": loss.traceback})
            on_event(RunEnded(self._store.write_record(record)))
        self._resize(self._size)

    def _explain(self, pack: Pack, loss: _Loss) -> TrainingError:
        """What one process said, said of the run."""
        error, where = loss.error, f"run {pack.runs[0].key}"
        if loss.is_echo:
            got = f"{loss.name} heard no more of the others, or waited {self._parallel.timeout:g} s for them"
            return TrainingError(got, where=where, fix="run again; or raise parallel.timeout")
        return TrainingError(f"{loss.name}: {error.got}", where=error.where or where, fix=error.fix)


#: Of a process that something killed.
_MEMORY_ADVICE: Final = "if memory ran out: lower training.batch_size, then run again"
