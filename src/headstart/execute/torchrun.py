"""Studies inside torchrun: its first process plans, writes and tells; the others take part in what it begins.

Each of torchrun's processes begins a worker of its own, which has a seat in the group, and hears how it ends:
so nobody hangs in a group of which someone is gone. They leave each other words in torchrun's store.
"""

from __future__ import annotations

import base64
import pickle
import time
from datetime import timedelta
from typing import Any, Final

from headstart.config.parallel import Parallel
from headstart.config.runs import Pack
from headstart.config.study import Study
from headstart.config.torchrun import World, read_world
from headstart.device import count_gpus
from headstart.engine.seat import Seat, open_store
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.group import GroupBackend, Loss
from headstart.planning.placement import Placement
from headstart.prepared import PreparedStudy
from headstart.processors import share_processors
from headstart.store.runs import RunStore

#: Seconds between two looks at whether there is something to do.
_LOOK_SECONDS: Final = 0.2
_PREFIX: Final = "headstart/word"


class _Words:
    """What torchrun's processes leave each other: Python objects by name, of this program alone."""

    def __init__(self, world: World, timeout: float) -> None:
        self._store = open_store(None, world.size, timedelta(seconds=timeout))

    def leave(self, name: str, value: Any) -> None:
        """Leave it, for all."""
        self._store.set(f"{_PREFIX}/{name}", base64.b64encode(pickle.dumps(value)).decode("ascii"))

    def find(self, name: str) -> Any:
        """What was left by this name; None where nothing was."""
        key = f"{_PREFIX}/{name}"
        if not self._store.check([key]):
            return None
        return pickle.loads(base64.b64decode(self._store.get(key)))  # noqa: S301 - as this program left it

    def await_word(self, name: str) -> Any:
        """What is left by this name, sooner or later."""
        while (word := self.find(name)) is None:
            time.sleep(_LOOK_SECONDS)
        return word


class TorchrunBackend(GroupBackend):
    """One of torchrun's processes, with the worker that has its seat."""

    def __init__(
        self, study: PreparedStudy, store: RunStore, parallel: Parallel, log: Log = ignore_log
    ) -> None:
        world = read_world()
        assert world is not None
        super().__init__(study, store, parallel, log, ranks=[world.rank])
        self._world, self._words = world, _Words(world, parallel.timeout)
        self._heard: set[str] = set()

    def _choose_gpu(self) -> int | None:
        gpus = count_gpus(self._study.study.device)
        return self._world.local_rank % gpus if gpus else None

    def _make_seat(self, rank: int, folder: str) -> Seat:
        return Seat(self._parallel.kind, rank, self._size, self._turn, self._parallel.timeout, None)

    def _share_processors(self, place: int) -> tuple[int, ...]:
        return share_processors(self._world.local_rank, self._world.local_size)

    def _tell_others(self, loss: Loss) -> None:
        self._words.leave(f"{self._turn}/lost/{self._world.rank}", loss)

    def _hear_others(self) -> list[Loss]:
        """What was newly said by others of this turn."""
        others = (rank for rank in range(self._size) if rank != self._world.rank)
        names = {f"{self._turn}/lost/{rank}" for rank in others} - self._heard
        found = {name: loss for name in names if (loss := self._words.find(name)) is not None}
        self._heard |= found.keys()
        return list(found.values())


class LeadingBackend(TorchrunBackend):
    """The first of torchrun's processes, which says what to train."""

    def __init__(
        self, study: PreparedStudy, store: RunStore, parallel: Parallel, log: Log = ignore_log
    ) -> None:
        super().__init__(study, store, parallel, log)
        self._words.leave("study", (study, store))

    def train_together(self, pack: Pack, placement: Placement, on_event: OnEvent) -> list[Loss]:
        """As `GroupBackend`, and have the others do it as well."""
        self._words.leave(f"{self._turn + 1}/job", (pack, placement))
        return super().train_together(pack, placement, on_event)

    def stop(self) -> None:
        """End all processes; the others of torchrun end theirs."""
        self._words.leave(f"{self._turn + 1}/job", ())
        super().stop()


def take_part(study: Study, log: Log = ignore_log) -> None:
    """Do what the first of torchrun's processes begins, until it has ended; write and tell nothing.

    What keeps the study from being run, the first one says.
    """
    world = read_world()
    if world is None or study.parallel is None:
        return
    words = _Words(world, study.parallel.timeout)
    prepared, store = words.await_word("study")
    backend = TorchrunBackend(prepared, store, study.parallel, log)
    try:
        _follow(backend, words)
    finally:
        backend.stop()


def _follow(backend: TorchrunBackend, words: _Words) -> None:
    turn = 1
    while job := words.await_word(f"{turn}/job"):
        pack, placement = job
        backend.train_together(pack, placement, ignore_events)
        turn += 1
