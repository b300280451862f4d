"""The backend of many machines: packs lie in a queue in the study's folder, and workers take them from there.

This process trains nothing: it publishes packs, tells what becomes of them, and gives back what a worker had
that is gone. `headstart work` is the other side.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

from headstart.config.runs import Pack
from headstart.errors import DamagedFileError
from headstart.events import Log, OnEvent, RunEnded, ignore_log
from headstart.execute.backend import Losses
from headstart.execute.local import LocalBackend
from headstart.execute.open_queue import VERSIONED, list_checkpoints
from headstart.execute.queued_packs import adopt_packs, describe_pack, sort_packs
from headstart.execute.taken_packs import TakenPacks
from headstart.files import hash_file
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.prepared import PreparedStudy
from headstart.records import RunRecord
from headstart.records.queue import PackList, QueueManifest, identify_pack
from headstart.stages import tell_stage
from headstart.store.lease import read_stale_seconds
from headstart.store.provenance import read_version
from headstart.store.queue_files import QueueFiles
from headstart.store.records import is_recorded, read_record
from headstart.store.runs import RunStore
from headstart.wording import Caution, format_count

#: Seconds between two looks at the queue, and how many packs in hand add as much again.
_LOOK_SECONDS: Final = 0.5
_PACKS_A_LOOK: Final = 50
#: How often a pack is said to have ended whose records are not there, before its runs have failed.
_MOST_FALSE_ENDS: Final = 3


@contextmanager
def open_queue_backend(
    study: PreparedStudy, store: RunStore, log: Log = ignore_log
) -> Iterator[QueueBackend]:
    """A backend whose queue is closed with the block, unless packs are left: then workers go on."""
    backend = QueueBackend(study, store, log)
    try:
        yield backend
    except BaseException:
        backend.stop()
        if backend.has_published:
            backend.close()
        raise
    backend.stop()
    backend.close()


class QueueBackend:
    """Publishes packs, and waits until workers have ended them."""

    def __init__(self, study: PreparedStudy, store: RunStore, log: Log = ignore_log) -> None:
        self._study, self._store, self._log = study, store, log
        self._files, self._stale = QueueFiles(store), read_stale_seconds()
        self._queue, self._lists = uuid.uuid4().hex[:16], 0
        self._left: dict[str, Pack] = {}
        self._false_ends: dict[str, int] = {}
        self._losses = Losses(study, store, log)
        self._timer: LocalBackend | None = None

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """As `Backend`; by whoever takes them."""
        self._publish(packs, placement)
        taken = TakenPacks(self._files, self._stale, self._study.study.metric, self._log)
        runs = format_count(sum(len(pack.runs) for pack in packs), "run")
        self._log(f"{runs} wait for workers: headstart work {self._store.out}")
        tell_stage("waiting for workers")
        while self._left:
            self._store.check_held()
            self._take_in(on_event, taken)
            taken.look(self._left, on_event)
            if self._left:
                time.sleep(_LOOK_SECONDS * (1 + taken.count / _PACKS_A_LOOK))

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """As `StepTimer`, in processes of this machine."""
        if self._timer is None:
            self._timer = LocalBackend(self._study, self._store, self._log)
        return self._timer.time_steps(benchmarks)

    def stop(self) -> None:
        """End the processes that have timed steps; workers are others' processes."""
        if self._timer is not None:
            self._timer.stop()

    @property
    def has_published(self) -> bool:
        """Whether workers may have seen packs of it."""
        return self._lists > 0

    def close(self) -> None:
        """Tell workers that nothing more is to come, and remove what they shared; unless packs are left."""
        if self._left or (self._store.fence is not None and not self._store.fence.is_held):
            return
        self._write_manifest("closed")
        for part in ("leases", "free", "ended"):
            self._files.remove_part(part)
        for number in range(1, self._lists + 1):
            self._files.list_file(number).unlink(missing_ok=True)

    def _publish(self, packs: Sequence[Pack], placement: Placement) -> None:
        """Let workers see the packs, the longest first; what they have in hand of an earlier queue stays."""
        self._store.check_held()
        if not self._lists:
            packs = adopt_packs(packs, self._files, self._log)
        ordered = sort_packs(packs)
        self._left |= {identify_pack(run.key for run in pack.runs): pack for pack in ordered}
        for name in self._files.list_marked("ended") & self._left.keys():
            if not self._has_ended(self._left[name]):
                self._files.remove_mark(name, "ended")
        queued = tuple(describe_pack(pack) for pack in ordered)
        self._lists += 1
        self._files.write_list(
            self._lists, PackList(queue=self._queue, threads=placement.threads, packs=queued)
        )
        self._write_manifest("open")

    def _write_manifest(self, state: Literal["open", "closed"]) -> None:
        manifest = QueueManifest(
            queue=self._queue,
            state=state,
            study=hash_file(self._store.study_file),
            data=self._study.corpus.digest,
            checkpoints=list_checkpoints(self._study),
            precision=self._study.precision,
            versions={name: read_version(name) for name in VERSIONED},
            stale_seconds=self._stale,
            lists=self._lists if state == "open" else 0,
        )
        self._files.write_manifest(manifest)

    def _has_ended(self, pack: Pack) -> bool:
        return all(is_recorded(self._store, run.key) for run in pack.runs)

    def _take_in(self, on_event: OnEvent, taken: TakenPacks) -> None:
        """Tell of the runs of packs that have ended since."""
        for name in self._files.list_marked("ended") & self._left.keys():
            pack = self._left[name]
            records = self._read_records(pack)
            if records is None:
                self._doubt(name, pack, on_event)
                continue
            del self._left[name]
            taken.forget(name)
            for record in records:
                on_event(RunEnded(record))

    def _read_records(self, pack: Pack) -> list[RunRecord] | None:
        """The records of its runs; None where one of them is not there, or not as it was written."""
        self._store.settle_pack([run.key for run in pack.runs])
        try:
            return [read_record(self._store.record_file(run.key), self._store) for run in pack.runs]
        except DamagedFileError:
            return None

    def _doubt(self, name: str, pack: Pack, on_event: OnEvent) -> None:
        """Have a pack trained again that is said to have ended and has no records; at last it has failed."""
        count = self._false_ends[name] = self._false_ends.get(name, 0) + 1
        keys = ", ".join(run.key for run in pack.runs)
        self._log(Caution(f"said to have ended, but not all records are there: {keys}"))
        if count < _MOST_FALSE_ENDS:
            self._files.remove_mark(name, "ended")
            self._files.set_mark(name, "free")
            return
        del self._left[name]
        self._losses.give_up(pack, f"said to have ended {count} times without a record", on_event)
