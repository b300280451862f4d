"""Takes packs from a queue and trains them in processes of this machine, until nothing is left to take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from headstart.errors import HeadstartError
from headstart.events import Event, Log, OnEvent, RunEnded, ignore_events, ignore_log
from headstart.execute.open_queue import OpenQueue
from headstart.execute.pool import WorkerPool
from headstart.execute.taken_pack import Pace, TakenPack, begin_pack
from headstart.execute.worker import PackJob
from headstart.execute.worker_process import WorkerProcess
from headstart.processors import share_processors
from headstart.records.queue import QueuedPack, QueueManifest
from headstart.store.fences import LeaseLostError
from headstart.store.lease_watch import LeaseWatch
from headstart.store.pack_queue import LeasedPack, PackQueue
from headstart.store.study_lock import list_holders
from headstart.store.taking import choose_wait
from headstart.store.work_done import Ending
from headstart.training.prepare import prepare_cached
from headstart.wording import Caution

#: Seconds for which this process does nothing at a time where all of its workers are idle.
_NAP: Final = 0.2


@dataclass
class Tally:
    """What a worker has done: packs that it ended, and the keys of their runs, failed ones apart."""

    packs: int = 0
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    taken: int = 0


class QueueWorker(WorkerPool):
    """Processes that train packs of a queue, each of which is leased for as long as it takes.

    `most_packs` is how many are taken at most, with those that `tally` counts.
    """

    def __init__(
        self,
        queue: OpenQueue,
        manifest: QueueManifest,
        tally: Tally,
        on_event: OnEvent = ignore_events,
        log: Log = ignore_log,
        *,
        most_packs: int | None = None,
    ) -> None:
        super().__init__(queue.prepared, queue.store, log)
        self._queue, self._manifest, self._tally = queue, manifest, tally
        self._on_event, self._most_packs = on_event, most_packs
        self._draw = Random()  # noqa: S311 - which pack comes first decides nothing of what it gives
        self._packs = PackQueue(queue.files, self._draw)
        self._packs.renew(manifest)
        self._coordinator = LeaseWatch(manifest.stale_seconds)
        self._taken: dict[WorkerProcess, TakenPack] = {}
        self._prepared: set[tuple[str, object]] = set()
        self._looks, self._next_look = 0, 0.0
        self._ending: Ending | None = None

    @property
    def packs(self) -> Sequence[QueuedPack]:
        """Those that the queue lists."""
        return self._packs.packs

    @property
    def threads(self) -> int:
        """Most threads that one of them trains with; 0: as torch has it."""
        return self._packs.threads

    def work(self, workers: int) -> Ending:
        """Train packs in so many processes until nothing is left; whatever ends this, leases are given back,
        and what was learnt of their packs is kept.

        Raises:
            HeadstartError: no pack can be trained here, as where the disk is full.
        """
        with ExitStack() as at_end:
            at_end.callback(self._give_back)
            at_end.callback(self.stop)  # before: who ends saves states, which the lease lets them
            self._resize(workers)
            while True:
                self._fill()
                busy = [worker for worker in self._workers if worker.pack]
                if not busy and self._ending is not None:
                    return self._ending
                if not busy:
                    time.sleep(_NAP)
                for worker in self._listen(busy) if busy else ():
                    self._hear(worker)
                self._end_still()

    def _give_back(self) -> None:
        for taken in self._taken.values():
            with suppress(HeadstartError, OSError):
                taken.leased.give_back()
        self._taken.clear()

    def _fill(self) -> None:
        """Give each idle process the next part of its pack, or another pack."""
        for worker in list(self._workers):
            taken = self._taken.get(worker)
            if worker.pack is None and taken is not None:
                self._go_on(worker, taken)
            if worker.pack is None and self._may_look():
                self._take(worker)

    def _may_look(self) -> bool:
        return self._ending is None and time.monotonic() >= self._next_look

    def _go_on(self, worker: WorkerProcess, taken: TakenPack) -> None:
        """Send the next part; where none is left the pack has ended."""
        if taken.parts:
            self._send(worker, taken)
            return
        try:
            taken.leased.end()
        except LeaseLostError:
            self._drop(worker)
        else:
            del self._taken[worker]
            self._tally.packs += 1

    def _send(self, worker: WorkerProcess, taken: TakenPack) -> None:
        part = taken.parts.popleft()
        taken.pace.restart()
        count, place = len(self._workers), self._workers.index(worker)
        job = PackJob(
            part,
            taken.leased.threads,
            count,
            share_processors(place, count),
            worker.gpu,
            fence=taken.leased.fence,
        )
        worker.train(job)

    def _take(self, worker: WorkerProcess) -> None:
        """Have the process train a pack, if there is one to take."""
        if self._most_packs is not None and self._tally.taken >= self._most_packs:
            self._ending = "most-packs"
            return
        if not self._renew():
            return
        self._packs.look(frozenset(taken.leased.pack.id for taken in self._taken.values()))
        leased = self._packs.take(lambda pack: Pace(pack.deadline))
        if leased is not None:
            self._looks, self._next_look = 0, 0.0
            self._begin(worker, leased)
            return
        if not self._packs.has_packs_left and not self._taken and self._has_no_coordinator():
            self._ending = "nothing-left"
        self._next_look = time.monotonic() + choose_wait(self._looks, self._draw)
        self._looks += 1

    def _begin(self, worker: WorkerProcess, leased: LeasedPack) -> None:
        with ExitStack() as undo:
            undo.callback(leased.give_back)
            assert isinstance(leased.pulse, Pace)
            taken = begin_pack(leased, leased.pulse, self._queue, self._hear_event, self._log)
            self._prepare(taken)
            undo.pop_all()
        self._tally.taken += 1
        self._taken[worker] = taken
        keys = ", ".join(run.key for run in taken.pack.runs)
        self._log(f"took {keys}" + (f", which {leased.lost} lost" if leased.lost else ""))
        if taken.parts:
            self._send(worker, taken)

    def _prepare(self, taken: TakenPack) -> None:
        """Have in the cache what its runs need; seeds and settings to try change nothing of that."""
        waiting = [run for run in taken.pack.runs if (run.arm, run.size) not in self._prepared]
        prepare_cached([self._study.select(run) for run in waiting], self._log)
        self._prepared.update((run.arm, run.size) for run in waiting)

    def _renew(self) -> bool:
        """Read the manifest again; says whether the queue goes on as it was."""
        manifest = self._queue.files.read_manifest()
        if manifest is None or manifest.state == "closed":
            self._ending = "changed" if manifest is None else "closed"
        elif _list_sources(manifest) != _list_sources(self._manifest):
            self._ending = "changed"
        else:
            self._manifest = manifest
            self._packs.renew(manifest)
        return self._ending is None

    def _has_no_coordinator(self) -> bool:
        return self._coordinator.judge("folder", list_holders(self._store)).state != "held"

    def _hear(self, worker: WorkerProcess) -> None:
        """Take what a process says of its pack."""
        taken = self._taken[worker]

        def pass_on(event: Event) -> None:
            taken.tell(event)
            self._hear_event(event)

        try:
            message = self._receive(worker, pass_on)
        except LeaseLostError:
            self._drop(worker)
            return
        if message is None:
            self._replace(worker)

    def _hear_event(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            record = event.record
            (self._tally.done if record.status == "done" else self._tally.failed).append(record.key)
        self._on_event(event)

    def _replace(self, worker: WorkerProcess) -> None:
        """Put a new process in the place of one that died, and go on with its pack if that is still ours."""
        code, taken = worker.await_end(), self._taken[worker]
        assert worker.pack is not None  # who has none is not listened to
        try:
            again = taken.losses.take_back(worker.pack, code, worker.ended, self._hear_event)
        except LeaseLostError:
            self._drop(worker)
            self._exchange(worker)
            return
        taken.parts.extendleft(reversed(again))
        new = self._exchange(worker)
        self._taken[new] = self._taken.pop(worker)

    def _drop(self, worker: WorkerProcess) -> None:
        """Let go of a pack that another has by now."""
        taken = self._taken.pop(worker)
        keys = ", ".join(run.key for run in taken.pack.runs)
        self._log(Caution(f"another worker has taken over {keys}; nothing more of it is written here"))
        taken.leased.lease.close()

    def _end_still(self) -> None:
        """End processes whose pack makes no headway, or is another's; what comes of it is `_replace`'s."""
        for worker, taken in self._taken.items():
            if worker.pack is None or not (taken.pace.is_lost or not taken.pace.lives):
                continue
            if not taken.pace.is_lost:
                keys = ", ".join(run.key for run in taken.pack.runs)
                self._log(Caution(f"no step of {keys} for long after it was to have ended: tried anew"))
            taken.pace.restart()
            worker.kill()


def _list_sources(manifest: QueueManifest) -> QueueManifest:
    """What of a manifest decides which study is opened."""
    return manifest.model_copy(update={"queue": "0" * 16, "lists": 0, "state": "open", "versions": {}})
