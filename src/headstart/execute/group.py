"""The backend of studies with `parallel`: the processes of this machine train one run after another together.

None of them watches the others: this process, which is in no group, hears of each how it ends. Where one
cannot go on the others wait for it in vain, so all are ended, and the run has failed by what the first said.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headstart.config.parallel import Parallel
from headstart.config.runs import Pack
from headstart.config.torchrun import is_follower, read_world
from headstart.config.traits import get_method_traits
from headstart.engine.seat import Seat, name_process
from headstart.errors import HeadstartError, TrainingError
from headstart.events import Log, OnEvent, RunEnded, ignore_log
from headstart.execute.backend import Backend, describe_end
from headstart.execute.local import LocalBackend, open_local_backend
from headstart.execute.worker import GroupJob, Heartbeat, SeatLost
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
#: And at most between two looks at what the others say.
_LOOK_SECONDS: Final = 1.0


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
    if read_world() is None:
        backend = GroupBackend(study, store, study.study.parallel, log)
    else:
        # Here: torch's stores are loaded where they are needed.
        from headstart.execute.torchrun import LeadingBackend

        backend = LeadingBackend(study, store, study.study.parallel, log)
    try:
        yield backend
    finally:
        backend.stop()


def refuse_follower() -> None:
    """See that this is not one of torchrun's processes that only help: a script would run a study in each.

    Raises:
        HeadstartError: it is.
    """
    if is_follower():
        raise HeadstartError(
            "a study was started in each process of torchrun",
            expected="the command, which knows what is whose",
            fix="torchrun --no-python --nproc-per-node N headstart run STUDY.yaml",
        )


@dataclass(frozen=True)
class Loss:
    """What kept one process of a group from going on, and whether it only heard no more of the others."""

    name: str
    error: HeadstartError
    traceback: str | None = None
    is_echo: bool = False


class GroupBackend(LocalBackend):
    """Worker processes, each on a device of its own, that train each run together.

    `ranks` are those of the processes that this one begins, all by default.
    """

    def __init__(
        self,
        study: PreparedStudy,
        store: RunStore,
        parallel: Parallel,
        log: Log = ignore_log,
        ranks: Sequence[int] | None = None,
    ) -> None:
        super().__init__(study, store, log)
        self._parallel = parallel
        self._size = count_ranks(study.study)
        self._ranks = ranks or range(self._size)
        self._turn = 0
        #: The runs of the last pack that were told of before its processes were ended.
        self._told: set[str] = set()

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """As `Backend`: what trains by steps in groups, the rest in one process each."""
        stepping = [pack for pack in packs if get_method_traits(pack.runs[0].method).has_steps]
        rest = [pack for pack in packs if pack not in stepping]
        if stepping:
            tell_stage(f"loading models for {format_count(len(stepping), 'run')}")
        for pack in stepping:
            losses = self.train_together(pack, placement, on_event)
            if losses:
                self._record_loss(pack, losses, on_event)
        if rest:
            super().run_packs(rest, replace(placement, workers=1, ranks=1), on_event)

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """None: a step of a group is not timed."""
        return []

    def train_together(self, pack: Pack, placement: Placement, on_event: OnEvent) -> list[Loss]:
        """Train a pack of one run; gives what kept processes from going on, which have all ended then."""
        self._turn += 1
        self._resize(len(self._ranks))
        with tempfile.TemporaryDirectory(prefix="headstart-group-") as folder:
            for place, worker in enumerate(self._workers):
                self._seat(worker, pack, placement, place, folder)
            losses = self._hear_all(on_event)
        if losses:
            self._told = {key for worker in self._workers for key in worker.ended}
            for worker in self._workers:
                worker.kill()  # it waits for the others, and hears nothing else
            self._resize(0)
        return losses

    def _seat(self, worker: WorkerProcess, pack: Pack, placement: Placement, place: int, folder: str) -> None:
        """Give the worker at `place` of this process its job."""
        seat = self._make_seat(self._ranks[place], folder)
        job = GroupJob(pack, placement.threads, 1, self._share_processors(place), worker.gpu, seat=seat)
        worker.train(job)

    def _make_seat(self, rank: int, folder: str) -> Seat:
        kind, timeout = self._parallel.kind, self._parallel.timeout
        return Seat(kind, rank, self._size, self._turn, timeout, str(Path(folder) / "meeting"))

    def _share_processors(self, place: int) -> tuple[int, ...]:
        return share_processors(place, self._size)

    def _hear_all(self, on_event: OnEvent) -> list[Loss]:
        """Hear all processes until each is done; or, where one cannot go on, why, and shortly the others."""
        losses: list[Loss] = []
        deadline = float("inf")
        while (busy := [w for w in self._workers if w.pack]) and time.monotonic() < deadline:
            for worker in self._listen(busy, min(self._patience.beat, _LOOK_SECONDS)):
                loss = self._hear(worker, on_event)
                if loss is not None:
                    losses.append(loss)
                    self._tell_others(loss)
                    worker.pack = None
            losses += self._hear_others()
            if any(not loss.is_echo for loss in losses):
                break
            if losses:
                deadline = min(deadline, time.monotonic() + _GRACE)
        return losses

    def _tell_others(self, loss: Loss) -> None:
        """Nobody: all processes are this one's."""

    def _hear_others(self) -> list[Loss]:
        """None."""
        return []

    def _hear(self, worker: WorkerProcess, on_event: OnEvent) -> Loss | None:
        """Take what a process says; what keeps it from going on, if that is it."""
        name = name_process(self._ranks[self._workers.index(worker)], self._size)
        message = self._receive(worker, on_event)
        if message is None:
            return Loss(name, TrainingError(f"it {describe_end(worker.await_end())}", fix=_MEMORY_ADVICE))
        if not isinstance(message, Heartbeat):
            for other in self._workers:
                other.quiet = 0.0  # the first process speaks for all
        if isinstance(message, SeatLost):
            return Loss(name, message.error, message.traceback, message.is_echo)
        return None

    def _record_loss(self, pack: Pack, losses: Sequence[Loss], on_event: OnEvent) -> None:
        """Record that the run has failed, unless it had ended before."""
        if self._losses.finish_recorded(pack, self._told, on_event):
            return
        loss = next((each for each in losses if not each.is_echo), losses[0])
        record = make_failed_record(self._study.select(pack.runs[0]), self._explain(pack, loss))
        record = record.model_copy(update={"traceback": loss.traceback})
        on_event(RunEnded(self._store.write_record(record)))

    def _explain(self, pack: Pack, loss: Loss) -> TrainingError:
        """What one process said, said of the run."""
        error, where = loss.error, f"run {pack.runs[0].key}"
        if loss.is_echo:
            got = f"{loss.name} heard no more of the others, or waited {self._parallel.timeout:g} s for them"
            return TrainingError(got, where=where, fix="run again; or raise parallel.timeout")
        got = f"{loss.name}: {error.got}"
        return TrainingError(got, where=error.where or where, expected=error.expected, fix=error.fix)


#: Of a process that something killed.
_MEMORY_ADVICE: Final = "if memory ran out: lower training.batch_size, then run again"
