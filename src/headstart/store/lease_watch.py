"""Tells which leases of others are over, by what is seen of their files: never by a clock of theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.os_faults import writing
from headstart.store.holders import Holder
from headstart.store.lease import has_ended
from headstart.store.lease_files import LeaseFile

#: `free`: nobody has it; `held`: somebody has, or may have; `dead`: its holder ended without giving it back.
State = Literal["free", "held", "dead"]
#: Of what makes a lease stale, the most that counts between two looks: had this process been stopped, or its
#: machine, nobody would have been still.
_MOST_OF_STALE = 4


@dataclass
class _Seen:
    """What stood in the file, since when by this process's count, and for how long nothing has changed."""

    content: bytes
    looked: float
    still: float = 0.0
    has_changed: bool = False


@dataclass(frozen=True)
class Judged:
    """What is known of a lease, and its last holder, where it can be read."""

    state: State
    holder: Holder | None = None
    lives: bool = False

    @property
    def lost(self) -> int:
        """How many of its holders ended without giving it back."""
        known = self.holder.lost if self.holder else 0
        return known + 1 if self.state == "dead" else known


class LeaseWatch:
    """Remembers what it read of leases. A process that lives and renews nothing has lost its lease too."""

    def __init__(self, stale: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale, self._clock = stale, clock
        self._seen: dict[str, _Seen] = {}

    def judge(self, name: str, entries: Sequence[LeaseFile]) -> Judged:
        """What is known of the lease of that name by its files now; `lives` where it was seen to be renewed,
        or its process is there.

        Raises:
            MachineError: the last of its files cannot be read.
        """
        if not entries:
            return Judged("free")
        with writing(entries[-1].file):
            holder, content = entries[-1].read()
        if entries[-1].is_free:
            return Judged("free", holder)
        if content is None:  # it ended as it was read
            return Judged("held")
        if holder is not None and has_ended(holder):
            return Judged("dead", holder)
        seen = self._look(name, content)
        if seen.still > self._stale:
            return Judged("dead", holder)
        is_here = holder is not None and holder.is_here and not holder.is_hidden
        return Judged("held", holder, lives=is_here or seen.has_changed)

    def _look(self, name: str, content: bytes) -> _Seen:
        now, seen = self._clock(), self._seen.get(name)
        if seen is None or seen.content != content:
            self._seen[name] = _Seen(content, now, has_changed=seen is not None)
            return self._seen[name]
        seen.still += min(now - seen.looked, self._stale / _MOST_OF_STALE)
        seen.looked = now
        return seen
