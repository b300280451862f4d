"""What a backend is: it trains packs, times steps, and stops; and what all of them do with a lost process.

`execute.local` is one. Another (a cluster's, a queue's) has these three methods and needs nothing else: which
packs there are, how large, how many at a time and what they will need is planned before it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from headstart.config.runs import Pack
from headstart.errors import TrainingError
from headstart.events import Log, OnEvent, RunEnded, ignore_log
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepTimer
from headstart.prepared import PreparedStudy
from headstart.store.runs import RunStore
from headstart.training.grouping import halve_pack
from headstart.training.run_records import make_failed_record

#: What multiprocessing says of a process whose server died, which alone would have known.
_UNKNOWN_CODE: Final = 255


class Backend(StepTimer, Protocol):
    """Trains packs, where and how a placement says, and times steps for those who choose one."""

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """Train all packs; a run that fails is recorded and does not raise.

        When it returns, each run's record is in the store and was told of by a RunEnded, in this process.
        Processes of an earlier call may serve again.
        """


class Losses:
    """What becomes of packs whose process died: the same again, once; then halves; a run alone has failed.

    Who kills a process for memory and who kills it for nothing send the same signal. The same pack again has
    the bits that it would have had; halves, which round otherwise, need less memory.
    """

    def __init__(self, study: PreparedStudy, store: RunStore, log: Log = ignore_log) -> None:
        self._study, self._store, self._log = study, store, log
        self._lost: set[tuple[str, ...]] = set()

    def take_back(
        self, pack: Pack, code: int | None, ended: Collection[str], on_event: OnEvent
    ) -> list[Pack]:
        """What to try after the process that trained a pack died.

        Args:
            code: the process's exit code, or minus the signal that killed it; None or 255 where nobody knows.
            ended: the keys of its runs that were told of.
        """
        is_killed = code is None or code < 0 or code == _UNKNOWN_CODE
        return self.take_back_lost(pack, describe_end(code), ended, on_event, again=is_killed)

    def take_back_lost(
        self,
        pack: Pack,
        how: str,
        ended: Collection[str],
        on_event: OnEvent,
        *,
        again: bool,
        blameless: bool = False,
    ) -> list[Pack]:
        """The same where it is known in words how the process was lost.

        Args:
            again: whether the same pack may be tried once more; if `blameless`, this time does not count.
        """
        keys = tuple(run.key for run in pack.runs)
        if self.finish_recorded(pack, ended, on_event):
            return []
        if again and (blameless or keys not in self._lost):
            self._lost.update([] if blameless else [keys])
            self._log(f"a worker process {how}; resuming from the saved state: {', '.join(keys)}")
            return [pack]
        if len(pack.runs) > 1:
            halves = halve_pack(pack)
            self._log(f"a worker process {how}; retrying in two halves: {', '.join(keys)}")
            return halves
        self.give_up(pack, f"its process {how}, twice" if again else f"its process {how}", on_event)
        return []

    def finish_recorded(self, pack: Pack, ended: Collection[str], on_event: OnEvent) -> bool:
        """Whether all of the pack's runs had ended; those that were not told of are told of now."""
        records = self._store.settle_pack([run.key for run in pack.runs])
        for record in records:
            if record.key not in ended:
                on_event(RunEnded(record))
        return bool(records)

    def give_up(self, pack: Pack, why: str, on_event: OnEvent) -> None:
        """Record that the pack's runs have failed, and why."""
        for run in pack.runs:
            error = TrainingError(
                why,
                where=f"run {run.key}",
                fix="if memory ran out: lower workers or training.batch_size, then run again",
            )
            record = self._store.write_record(make_failed_record(self._study.select(run), error))
            on_event(RunEnded(record))


def describe_end(code: int | None) -> str:
    """How a process ended with this code, or minus the signal that killed it; None where nobody knows."""
    if code is None or code == _UNKNOWN_CODE:
        return "ended for an unknown reason"
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
