"""The time left of a study that trains: what was expected of its packs, at the pace that was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from headstart.events import PacksPlanned, PackWork

#: Models made and loaded when a run ends, for its test and the check of what was saved, in those made at
#: its start.
MODELS_AT_END: Final = 2.0
#: What a timed expectation weighs beside what is measured, as a share of it all: the pace changes slowly.
_TRUST: Final = 0.1
#: The share of the first pack that has to be done before the pace is taken for known, and the seconds of
#: steps; more where no steps were timed before.
_TIMED: Final = (0.01, 2.0)
_UNTIMED: Final = (0.1, 5.0)


@dataclass
class _PackProgress:
    """A pack's times, once known, and the shares of its runs: its own at the first and last steps seen."""

    work: PackWork
    shares: dict[str, float] = field(default_factory=dict)
    started: float | None = None
    first: float | None = None
    at_first: float = 0.0
    last: float | None = None
    at_last: float = 0.0
    ended: float | None = None

    @property
    def share(self) -> float:
        return sum(self.shares.values()) / len(self.work.runs)

    @property
    def left(self) -> float:
        return self.work.amount * max(0.0, 1.0 - self.share)

    @property
    def start(self) -> float | None:
        """Seconds until the first step: those measured, else expected."""
        if self.first is None or self.started is None:
            return self.work.start
        return self.first - self.started

    @property
    def end(self) -> float | None:
        """Seconds from the last step to the record: as measured, or else by those at the start."""
        if self.last is not None and self.ended is not None:
            return self.ended - self.last
        start = self.start if self.work.start is None else self.work.start
        return None if start is None else MODELS_AT_END * start

    def restart(self, key: str, now: float) -> None:
        """A run begins, perhaps anew; the pack does where none of its runs is further."""
        self.shares.pop(key, None)
        if not self.shares:
            self.started = now
            self.first = self.last = self.ended = None

    def advance(self, key: str, share: float, now: float) -> None:
        """Note how far a run is."""
        self.shares[key] = share
        self.last, self.at_last = now, self.share
        if self.first is None:
            self.first, self.at_first = now, self.share

    def finish(self, key: str, now: float) -> None:
        """Note that a run has ended; its last steps may have been left out."""
        self.shares[key] = 1.0
        if len(self.shares) == len(self.work.runs) and self.share == 1.0:
            self.ended = now

    def measure(self) -> tuple[float, float]:
        """Seconds between the first step and the last one, and the work that was done in them."""
        if self.first is None or self.last is None:
            return 0.0, 0.0
        return self.last - self.first, self.work.amount * (self.at_last - self.at_first)


class TimeLeft:
    """Takes what is planned and how far runs are; gives the seconds left, None until they can be believed.

    The pace is the seconds that steps and evaluations took over the work that they were. What a pack takes
    before its first step and after its last comes on top: as measured, or else as expected.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._planned: PacksPlanned | None = None
        self._packs: list[_PackProgress] = []
        self._of_run: dict[str, _PackProgress] = {}
        self._earlier: tuple[float, float] = (0.0, 0.0)
        #: The last estimate, and when it was made: one value, which another thread may read.
        self._told: tuple[float, float] | None = None

    def plan(self, planned: PacksPlanned) -> None:
        """Take what is about to train; the pace of what has trained before holds on."""
        is_like = self._planned is not None and self._planned.is_timed == planned.is_timed
        self._earlier = self._measure() if is_like else (0.0, 0.0)
        self._planned = planned
        self._packs = [_PackProgress(work) for work in planned.packs]
        self._of_run = {key: pack for pack in self._packs for key in pack.work.runs}

    def start(self, key: str) -> None:
        """A run begins, perhaps anew."""
        if pack := self._of_run.get(key):
            pack.restart(key, self._clock())

    def advance(self, key: str, share: float) -> None:
        """A run has made so much of its steps, from 0 to 1."""
        if pack := self._of_run.get(key):
            pack.advance(key, share, self._clock())

    def end(self, key: str) -> None:
        """A run has ended, whatever was left of it."""
        if pack := self._of_run.get(key):
            pack.finish(key, self._clock())

    def estimate(self) -> float | None:
        """Seconds until the last pack ends; None where too little was measured, or nothing is left."""
        if self._planned is None or not self._is_credible():
            return None
        left = self._add_up(self._find_pace())
        return left if left > 0 else None

    def renew(self) -> None:
        """Estimate anew, after events; in between `count_down` goes by the clock."""
        seconds = self.estimate()
        self._told = None if seconds is None else (seconds, self._clock())

    def count_down(self) -> float | None:
        """Seconds of the last estimate that are left, by the clock, never below zero; None without one."""
        if (told := self._told) is None:
            return None
        seconds, made_at = told
        return max(0.0, seconds - (self._clock() - made_at))

    def _find_pace(self) -> float:
        """Seconds for each unit of work."""
        assert self._planned is not None
        seconds, done = self._measure()
        if self._planned.is_timed:
            trusted = _TRUST * sum(work.amount for work in (*self._planned.packs, *self._planned.to_come))
            seconds, done = seconds + trusted, done + trusted
        return seconds / done

    def _measure(self) -> tuple[float, float]:
        measured = [self._earlier, *(pack.measure() for pack in self._packs)]
        return sum(seconds for seconds, _ in measured), sum(done for _, done in measured)

    def _is_credible(self) -> bool:
        assert self._planned is not None
        share, least = _TIMED if self._planned.is_timed else _UNTIMED
        seconds, done = self._measure()
        first = next((pack.work.amount for pack in self._packs if pack.work.amount), 0.0)
        return done > 0 and done >= share * first and seconds >= least

    def _add_up(self, pace: float) -> float:
        """Seconds until the last worker is done: of packs under way first, then of each that waits."""
        assert self._planned is not None
        start = _average([pack.start for pack in self._packs if pack.work.amount])
        end = _average([pack.end for pack in self._packs if pack.work.amount])
        going = [
            pace * pack.left + (end if pack.first else start + end)
            for pack in self._packs
            if pack.started is not None and pack.ended is None and pack.work.amount
        ]
        waiting = [pack.work for pack in self._packs if pack.started is None]
        spans = [
            pace * work.amount + start + end for work in (*waiting, *self._planned.to_come) if work.amount
        ]
        return find_makespan(going, spans, self._planned.workers)


def _average(seconds: Sequence[float | None]) -> float:
    """Of those known; 0 where none is."""
    known = [span for span in seconds if span is not None]
    return sum(known) / len(known) if known else 0.0


def find_makespan(going: Sequence[float], waiting: Sequence[float], workers: int) -> float:
    """When the last worker is done, who each has one of `going` in hand and takes the next that waits."""
    idle = min(workers - len(going), len(waiting))  # what is left of them would find nothing to take
    idle_at = [*going, *([0.0] * idle)]
    heapify(idle_at)
    for span in waiting:
        heappush(idle_at, heappop(idle_at) + span)
    return max(idle_at, default=0.0)
