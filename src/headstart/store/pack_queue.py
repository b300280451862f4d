"""A worker's view of a queue: which packs wait, which others have, and taking one of them by its lease."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from headstart.os_faults import writing
from headstart.records.queue import PackList, QueuedPack, QueueManifest, identify_pack
from headstart.store.fences import Fence
from headstart.store.json_files import make_damage
from headstart.store.lease import take_lease
from headstart.store.lease_heart import Pulse
from headstart.store.lease_watch import LeaseWatch
from headstart.store.queue_files import PACK_LEASE, QueueFiles
from headstart.store.taking import MOST_TRIES, choose_next, choose_watched

#: Makes what is asked, before each renewal of a pack's lease, whether its holder makes headway.
PulseOf = Callable[[QueuedPack], Pulse]


@dataclass(frozen=True)
class LeasedPack:
    """A pack that this process has, trained with so many threads; `lost` holders before it did not end it."""

    pack: QueuedPack
    threads: int
    fence: Fence
    pulse: Pulse
    lost: int
    files: QueueFiles
    lease: ExitStack

    @property
    def number(self) -> int:
        """Of its lease, by which holders of one pack are told apart."""
        return self.fence.number

    def end(self) -> None:
        """Mark the pack as ended, and give it back.

        Raises:
            LeaseLostError: another has it.
        """
        self.fence.check()
        self.files.set_mark(self.pack.id, "ended")
        self.lease.close()

    def give_back(self) -> None:
        """Let others go on with it."""
        with writing(self.fence.file.parent):
            is_held = self.fence.is_held
        self.lease.close()
        if is_held:
            self.files.set_mark(self.pack.id, "free")


class PackQueue:
    """What is known of the packs of a queue, by three listings a look and by what was read of leases."""

    def __init__(self, files: QueueFiles, draw: Random) -> None:
        self._files, self._draw = files, draw
        self._manifest: QueueManifest | None = None
        self._watch = LeaseWatch(0.0)
        self._packs: list[QueuedPack] = []
        self._threads: list[int] = []
        self._waiting: list[int] = []
        self._held: list[int] = []
        self._watched: list[int] = []
        self._lists = 0

    @property
    def packs(self) -> tuple[QueuedPack, ...]:
        """Those of all lists that were read."""
        return tuple(self._packs)

    @property
    def threads(self) -> int:
        """Most threads that one of them trains with; 0: as torch has it."""
        return max(self._threads, default=0)

    @property
    def has_packs_left(self) -> bool:
        """Whether packs were there, when last looked at, that had not ended."""
        return bool(self._waiting or self._held)

    def renew(self, manifest: QueueManifest) -> None:
        """Read the lists that the manifest counts and that were not read before.

        Raises:
            DamagedFileError: one is not as it was written.
        """
        if self._manifest is None or manifest.queue != self._manifest.queue:
            self._packs, self._threads, self._lists = [], [], 0
            self._watch = LeaseWatch(manifest.stale_seconds)
        self._manifest = manifest
        while self._lists < manifest.lists:
            packs = self._files.read_list(self._lists + 1)
            if packs.queue != manifest.queue:
                return  # of another coordinator: its manifest is about to be there
            self._add(packs, self._lists + 1)
            self._lists += 1

    def _add(self, packs: PackList, number: int) -> None:
        known = {pack.id for pack in self._packs}
        for pack in packs.packs:
            if identify_pack(run.key for run in pack.runs) != pack.id:
                raise make_damage(
                    f"the pack {pack.id} is named for other runs", self._files.list_file(number)
                )
            if pack.id not in known:
                self._packs.append(pack)
                self._threads.append(packs.threads)

    def look(self, mine: frozenset[str] = frozenset()) -> None:
        """See which packs wait, and which others have; those that are `mine` are left out."""
        ended, free = self._files.list_marked("ended"), self._files.list_marked("free")
        taken = self._files.list_taken() - free
        left = [i for i, pack in enumerate(self._packs) if pack.id not in ended and pack.id not in mine]
        self._waiting = [i for i in left if self._packs[i].id not in taken]
        self._held = [i for i in left if self._packs[i].id in taken]

    def take(self, pulse_of: PulseOf) -> LeasedPack | None:
        """Take one of the first packs that wait, or one whose holder ended; None where there is none now.

        Raises:
            MachineError: the lease's file cannot be written.
        """
        for failures in range(MOST_TRIES):
            place = choose_next(self._waiting, len(self._held), self._draw, failures=failures)
            if place is None:
                break
            self._waiting.remove(place)
            if leased := self._try(self._packs[place], self._threads[place], pulse_of):
                return leased
            self._held.append(place)
        return self._take_over(pulse_of)

    def _take_over(self, pulse_of: PulseOf) -> LeasedPack | None:
        self._watched = choose_watched(self._held, self._watched, self._draw)
        for place in self._watched:
            if leased := self._try(self._packs[place], self._threads[place], pulse_of):
                return leased
        return None

    def _try(self, pack: QueuedPack, threads: int, pulse_of: PulseOf) -> LeasedPack | None:
        assert self._manifest is not None
        folder, entries = self._files.lease_folder(pack.id), self._files.list_leases(pack.id)
        judged = self._watch.judge(pack.id, entries)
        if judged.state == "held":
            return None
        with writing(folder):
            try:
                folder.parent.mkdir(exist_ok=True)
                folder.mkdir(exist_ok=True)
            except FileNotFoundError:  # the queue was removed
                return None
        pulse = pulse_of(pack)
        lease = ExitStack()
        stale = self._manifest.stale_seconds
        fence = lease.enter_context(
            take_lease(folder, PACK_LEASE, entries, stale=stale, lost=judged.lost, pulse=pulse)
        )
        if fence is None or self._files.is_marked(pack.id, "ended"):
            lease.close()
            return None
        self._files.remove_mark(pack.id, "free")
        return LeasedPack(pack, threads, fence, pulse, judged.lost, self._files, lease)
