"""What becomes of packs whose tasks were lost on a cluster, which says more of it than an exit code does."""

from __future__ import annotations

from collections import Counter
from typing import Final

from headstart.config.runs import Pack
from headstart.events import Log, OnEvent
from headstart.execute.backend import Losses
from headstart.execute.ray.calls import LossKind
from headstart.execute.ray.flights import Flight
from headstart.prepared import PreparedStudy
from headstart.store.runs import RunStore

#: How often a pack's node may be lost before the pack itself is looked at.
_MOST_NODES: Final = 5
#: How much more memory is asked for after a task ran out of it.
_MORE_MEMORY: Final = 2


class TaskLosses:
    """As `Losses`, but a lost node is not the pack's fault, and memory halves a pack at once."""

    def __init__(self, study: PreparedStudy, store: RunStore, log: Log) -> None:
        self._losses = Losses(study, store, log)
        self._nodes, self._out_of_memory = Counter[tuple[str, ...]](), set[str]()

    def take_back(self, flight: Flight, kind: LossKind, how: str, on_event: OnEvent) -> list[Pack]:
        """What to try after a pack's task was lost."""
        is_blameless = kind == "node" and self._nodes[flight.keys] < _MOST_NODES
        self._nodes[flight.keys] += kind == "node"
        is_alone = len(flight.pack.runs) == 1
        if kind == "memory":
            self._out_of_memory.update(flight.keys)
        return self._losses.take_back_lost(
            flight.pack,
            how,
            flight.ended,
            on_event,
            again=kind != "memory" or is_alone,
            blameless=is_blameless,
        )

    def find_memory(self, pack: Pack) -> int:
        """Bytes that its task is to ask for: as expected, and more where that was not enough."""
        memory = pack.estimate.memory_bytes if pack.estimate is not None else None
        wanted = int(memory.high) if memory is not None else 0
        is_more = any(run.key in self._out_of_memory for run in pack.runs)
        return wanted * _MORE_MEMORY if is_more else wanted
