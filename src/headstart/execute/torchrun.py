"""Studies inside torchrun: its first process plans, writes and tells; the others take part in what it begins.

Each of torchrun's processes begins a worker of its own, which has a seat in the group, and hears how it ends:
so nobody hangs in a group of which someone is gone. They leave each other words in torchrun's store.
"""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any, Final

from headstart.config.parallel import Parallel
from headstart.config.runs import Pack, Run
from headstart.config.study import Study
from headstart.config.torchrun import World, read_world
from headstart.device import count_gpus
from headstart.engine.seat import Seat, name_process, open_store
from headstart.errors import HeadstartError, TrainingError
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.group import GroupBackend, Loss
from headstart.execute.open_study import OpenStudy, open_study
from headstart.execute.queued_packs import describe_run, find_queued_run
from headstart.planning.placement import Placement
from headstart.prepared import PreparedStudy
from headstart.processors import share_processors
from headstart.records.queue import QueuedRun
from headstart.store.runs import RunStore

#: Seconds between two looks at whether there is something to do.
_LOOK_SECONDS: Final = 0.2
_PREFIX: Final = "headstart/word"


class _Words:
    """What torchrun's processes leave each other: JSON by name: who left it may be anybody."""

    def __init__(self, world: World, timeout: float) -> None:
        self._store = open_store(None, world.size, timedelta(seconds=timeout))

    def leave(self, name: str, value: Any) -> None:
        """Leave it, for all."""
        self._store.set(f"{_PREFIX}/{name}", json.dumps(value))

    def find(self, name: str) -> Any:
        """What was left by this name; None where nothing was."""
        key = f"{_PREFIX}/{name}"
        return json.loads(self._store.get(key)) if self._store.check([key]) else None

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
        self._words.leave(f"{self._turn}/lost/{self._world.rank}", _dump_loss(loss))

    def _hear_others(self) -> list[Loss]:
        """What was newly said by others of this turn."""
        others = (rank for rank in range(self._size) if rank != self._world.rank)
        names = {f"{self._turn}/lost/{rank}" for rank in others} - self._heard
        found = {name: loss for name in names if (loss := self._words.find(name)) is not None}
        self._heard |= found.keys()
        return [_read_loss(loss) for loss in found.values()]


class LeadingBackend(TorchrunBackend):
    """The first of torchrun's processes, which says what to train."""

    def __init__(
        self, study: PreparedStudy, store: RunStore, parallel: Parallel, log: Log = ignore_log
    ) -> None:
        super().__init__(study, store, parallel, log)
        self._words.leave("study", study.corpus.digest)

    def train_together(self, pack: Pack, placement: Placement, on_event: OnEvent) -> list[Loss]:
        """As `GroupBackend`, and have the others do it as well."""
        (run,) = pack.runs
        job = {"run": describe_run(run).model_dump(), "threads": placement.threads}
        self._words.leave(f"{self._turn + 1}/job", job)
        return super().train_together(pack, placement, on_event)

    def stop(self) -> None:
        """End all processes; the others of torchrun end theirs."""
        self._words.leave(f"{self._turn + 1}/job", {})
        super().stop()


def take_part(study: Study, log: Log = ignore_log) -> None:
    """Do what the first of torchrun's processes begins, until it has ended; write and tell nothing.

    What keeps the study from being run, the first one says.

    Raises:
        HeadstartError: this process reads other data than the first one.
    """
    world = read_world()
    if world is None or study.parallel is None:
        return
    words = _Words(world, study.parallel.timeout)
    digest = words.await_word("study")
    opened = open_study(study, log)
    _check_digest(opened, digest, world)
    backend = TorchrunBackend(opened.prepared, opened.store, study.parallel, log)
    try:
        _follow(backend, words, opened)
    finally:
        backend.stop()


def _check_digest(opened: OpenStudy, digest: str, world: World) -> None:
    if opened.prepared.corpus.digest != digest:
        raise HeadstartError(
            f"{name_process(world.rank, world.size)} reads other examples than the first",
            where="data",
            expected="files that are the same on all machines",
        )


def _follow(backend: TorchrunBackend, words: _Words, opened: OpenStudy) -> None:
    turn = 1
    while job := words.await_word(f"{turn}/job"):
        placement = Placement(1, job["threads"], "torchrun")
        run = _find_run(QueuedRun.model_validate(job["run"]), opened)
        backend.train_together(Pack((run,)), placement, ignore_events)
        turn += 1


def _find_run(told: QueuedRun, opened: OpenStudy) -> Run:
    """The run that the first process tells of: of a seed that was perhaps added, or one that tuning chose.

    Raises:
        HeadstartError: this process's study has no such run.
    """
    seeds = dict.fromkeys((*opened.study.seeds, told.seed))
    run = find_queued_run(opened.study.model_copy(update={"seeds": tuple(seeds)}), told)
    if run is None:
        raise HeadstartError(
            f"the first process trains {told.key}, and the study that this one reads has no such run",
            where="study",
            expected="a study file that is the same on all machines",
        )
    return run


def _dump_loss(loss: Loss) -> dict[str, Any]:
    error = loss.error
    parts = {name: getattr(error, name) for name in ("got", "where", "expected", "fix")}
    return {"name": loss.name, "error": parts, "traceback": loss.traceback, "is_echo": loss.is_echo}


def _read_loss(word: dict[str, Any]) -> Loss:
    return Loss(word["name"], TrainingError(**word["error"]), word["traceback"], word["is_echo"])
