"""The coordinator's view of packs that workers have: what they tell, and whether their holders live."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from headstart.config.runs import Pack
from headstart.events import Log, OnEvent
from headstart.execute.pack_events import EventReader
from headstart.store.holders import Holder
from headstart.store.lease import take_lease
from headstart.store.lease_files import LeaseFile
from headstart.store.lease_watch import Judged, LeaseWatch
from headstart.store.queue_files import PACK_LEASE, QueueFiles
from headstart.wording import Caution, format_count

#: Of the seconds that make a lease stale, the part between two looks at all of them.
_LOOKS: Final = 5


class TakenPacks:
    """Listens to the holders of packs, and gives back what those had who have ended."""

    def __init__(
        self,
        files: QueueFiles,
        stale: float,
        metric: str,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._stale, self._metric, self._log, self._clock = files, stale, metric, log, clock
        self._watch = LeaseWatch(stale, clock)
        self._readers: dict[str, EventReader] = {}
        self._next_check = float("-inf")
        self._has_workers = False

    @property
    def count(self) -> int:
        """How many packs were in somebody's hands when last looked at."""
        return len(self._readers)

    def forget(self, name: str) -> None:
        """The pack has ended."""
        self._readers.pop(name, None)

    def look(self, left: Mapping[str, Pack], on_event: OnEvent) -> None:
        """Pass on what holders tell of the packs that are left, and now and then see whether they live."""
        if self._clock() >= self._next_check:
            self._check(left)
            self._next_check = self._clock() + min(5.0, self._stale / _LOOKS)
        for reader in list(self._readers.values()):
            for event in reader.read():
                on_event(event)

    def _check(self, left: Mapping[str, Pack]) -> None:
        holders: list[Holder] = []
        for name in self._files.list_taken() & left.keys():
            entries = self._files.list_leases(name)
            judged = self._watch.judge(name, entries)
            if judged.state == "dead":
                self._give_back(name, left[name], entries, judged)
            elif judged.state == "held":
                self._listen(name, left[name], entries[-1])
                holders += [judged.holder] if judged.holder else []
        self._tell_workers(len({(holder.machine, holder.process) for holder in holders}))

    def _listen(self, name: str, pack: Pack, entry: LeaseFile) -> None:
        """Read what this holder tells, and not what an earlier one did."""
        file = self._files.told_file(name, entry.number)
        if name not in self._readers or self._readers[name].file != file:
            self._readers[name] = EventReader(file, pack.runs, self._metric)

    def _give_back(self, name: str, pack: Pack, entries: list[LeaseFile], judged: Judged) -> None:
        """Free a pack whose holder is gone, as that one would have, for any worker to take."""
        with take_lease(
            self._files.lease_folder(name), PACK_LEASE, entries, stale=self._stale, lost=judged.lost
        ) as fence:
            if fence is None:  # a worker was faster
                return
        self._files.set_mark(name, "free")
        keys = ", ".join(run.key for run in pack.runs)
        who = f"{judged.holder}" if judged.holder else "an unknown worker"
        self._log(Caution(f"{who} ended without giving back {keys}: another worker goes on with it"))

    def _tell_workers(self, count: int) -> None:
        """Say when the first worker has a pack, and when none has any more."""
        if bool(count) != self._has_workers:
            self._log(f"{format_count(count, 'worker')} training" if count else "no worker is training")
        self._has_workers = bool(count)
