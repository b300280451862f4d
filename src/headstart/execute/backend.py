"""What a backend is: it trains packs, times steps, and stops; and what all of them do with a lost process.

`execute.local` is one. Another (a cluster's, a queue's) has these three methods and needs nothing else: which
packs there are, how large, how many at a time and what they will need is planned before it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headstart.config.runs import Pack
from headstart.errors import TrainingError
from headstart.events import OnEvent, RunEnded
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepTimer
from headstart.prepared import PreparedStudy
from headstart.store.runs import RunStore
from headstart.training.grouping import halve_pack
from headstart.training.run_records import make_failed_record


class Backend(StepTimer, Protocol):
    """Trains packs, where and how a placement says, and times steps for those who choose one."""

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        """Train all packs; a run that fails is recorded and does not raise.

        When it returns, each run's record is in the store and was told of by a RunEnded, in this process.
        Processes of an earlier call may serve again.
        """


def split_lost_pack(
    pack: Pack, how: str, study: PreparedStudy, store: RunStore, on_event: OnEvent
) -> list[Pack]:
    """What to try after the process that trained a pack died: its halves.

    A run that was alone has failed; that is recorded.

    Args:
        how: the process ended, after "its process".
    """
    if len(pack.runs) > 1:
        return halve_pack(pack)
    (run,) = pack.runs
    error = TrainingError(
        f"its process {how}",
        where=f"run {run.key}",
        fix="if memory ran out: lower workers or training.batch_size, then run again",
    )
    record = store.write_record(make_failed_record(study.select(run), error))
    on_event(RunEnded(record))
    return []
