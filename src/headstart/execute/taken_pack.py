"""A pack that a worker has taken: its lease, what is left of it to train, and whether it makes headway."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from headstart.config.runs import Pack
from headstart.events import Event, Log, OnEvent
from headstart.execute.backend import Losses
from headstart.execute.open_queue import OpenQueue
from headstart.execute.pack_events import EventWriter
from headstart.store.lease_heart import Pulse
from headstart.store.pack_queue import LeasedPack
from headstart.store.records import is_recorded
from headstart.training.grouping import halve_pack
from headstart.wording import format_count

#: Seconds without a step after which a pack that is past its deadline makes no headway.
QUIET_SECONDS: Final = 600.0
#: Holders of a pack that ended without giving it back, after which it is tried in halves, and given up.
_HALVED_AFTER: Final = 3
_GIVEN_UP_AFTER: Final = 6


class Pace(Pulse):
    """Whether a pack makes headway: until its deadline it is believed to, then only where steps were made."""

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._deadline, self._clock = deadline, clock
        self.restart()

    def restart(self) -> None:
        """The pack is tried anew."""
        self._began = self._heard = self._clock()

    def hear(self) -> None:
        """Its process told something, other than that it lives."""
        self._heard = self._clock()

    @property
    def lives(self) -> bool:
        """As `Pulse`."""
        now = self._clock()
        return now - self._began <= self._deadline or now - self._heard <= QUIET_SECONDS


@dataclass
class TakenPack:
    """The parts that are left of it, and who is to be told what happens to its runs."""

    leased: LeasedPack
    pack: Pack
    pace: Pace
    losses: Losses
    parts: deque[Pack]
    writer: EventWriter

    def tell(self, event: Event) -> None:
        """Tell the coordinator what its process told, which makes headway."""
        self.pace.hear()
        self.writer.on_event(event)


def begin_pack(leased: LeasedPack, pace: Pace, queue: OpenQueue, on_event: OnEvent, log: Log) -> TakenPack:
    """What there is to train of a pack that was taken: what an earlier holder has finished stays.

    Raises:
        OutputError: the study has no such run, or the lease was lost again.
    """
    pack = queue.find_pack(leased.pack)
    store = replace(queue.store, fence=leased.fence)
    store.settle_pack([run.key for run in pack.runs])
    left = tuple(run for run in pack.runs if not is_recorded(store, run.key))
    losses = Losses(queue.prepared, store, log)
    writer = EventWriter(leased.files.told_file(leased.pack.id, leased.number), pack.runs)
    parts = deque([replace(pack, runs=left)] if left else [])
    taken = TakenPack(leased, pack, pace, losses, parts, writer)
    if left and leased.lost >= _HALVED_AFTER:
        _be_careful(taken, on_event, log)
    return taken


def _be_careful(taken: TakenPack, on_event: OnEvent, log: Log) -> None:
    """Try what several holders died with in halves; give it up where that was tried, or cannot be."""
    (pack,), lost = taken.parts, taken.leased.lost
    keys = ", ".join(run.key for run in pack.runs)
    how = f"{format_count(lost, 'worker')} ended while they had it"
    if len(pack.runs) == 1 or lost >= _GIVEN_UP_AFTER:
        log(f"given up, for {how}: {keys}")
        taken.losses.give_up(pack, how, on_event)
        taken.parts.clear()
        return
    log(f"tried in two halves, for {how}: {keys}")
    taken.parts = deque(halve_pack(pack))
