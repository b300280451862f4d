"""Studies whose packs lie in a queue, without processes: what stands for a trainer, and a queue in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final

import pytest

from headstart.config.runs import Pack, Run, expand_runs
from headstart.config.study import Study
from headstart.events import EpochDone, RunStarted, StepDone
from headstart.execute.pack_events import EventWriter
from headstart.execute.queue import QueueBackend
from headstart.execute.worker import JobDone, PackJob
from headstart.planning.placement import Placement
from headstart.records import EpochPoint
from headstart.store.holders import Holder
from headstart.store.lease_files import format_holder
from headstart.store.queue_files import QueueFiles
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study

#: Seconds for which nothing but the clock of a test passes.
_REAL_SECONDS: Final = 0.002


class StandInTrainer:
    """Stands for a worker process: says that it is done with a pack, with an error if it has one, or dies."""

    dies = False
    error: Any = None

    def __init__(self, *_: Any) -> None:
        self.pack: Pack | None = None
        self.gpu, self.process, self.ended = None, self, set[str]()
        self.pipe, self._theirs = Pipe()

    def train(self, job: PackJob) -> None:
        """Answer at once."""
        self.pack = job.pack
        if self.dies:
            self._theirs.close()
        else:
            self._theirs.send(JobDone(self.error))

    def hear(self, message: object) -> None:
        """Nobody counts its silence."""

    def is_alive(self) -> bool:
        """It has not died while it was idle."""
        return True

    def await_end(self) -> int:
        """It was killed."""
        return -9

    def ask_to_end(self) -> None:
        """It is no process."""

    def kill(self) -> None:
        """It is no process."""

    def stop(self) -> None:
        """It is no process; its pipe is one."""
        self.pipe.close()
        self._theirs.close()


class EnoughError(BaseException):
    """Somebody has waited for long enough; no handler of errors in the code takes it for one of its own."""


@contextmanager
def passing_time(looks: int, at_look: Callable[[int], None] = lambda _: None) -> Iterator[None]:
    """A block in which who sleeps wakes at once, and later by the clock; ends it quietly after so many times.

    Args:
        at_look: is told how many times somebody has slept, before each.
    """
    sleep, monotonic, slept = time.sleep, time.monotonic, list[float]()

    def pass_quickly(seconds: float) -> None:
        if len(slept) >= looks:
            raise EnoughError
        at_look(len(slept))
        slept.append(seconds)
        sleep(_REAL_SECONDS)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "sleep", pass_quickly)
        patched.setattr(time, "monotonic", lambda: monotonic() + sum(slept))
        try:
            yield
        except EnoughError:
            return


def write_queue_in_use(study: Study) -> QueueFiles:
    """The queue of a study of four runs, as it lies there while the coordinator and workers are at work.

    The first run is in the hands of a worker elsewhere, which tells of it; the second was given back; the
    third is said to have ended; nobody has had the fourth.
    """
    store, runs = RunStore(Path(study.out)), expand_runs(study)
    store.open_study(study)
    backend = QueueBackend(prepare_study(study, runs), store)
    backend._publish([Pack((run,)) for run in runs], Placement(1, 1, "", 1))
    files = QueueFiles(store)
    held, given_back, ended, _ = (pack.id for pack in files.read_list(1).packs)
    _hold(files, held)
    _tell(files.told_file(held, 2), runs[0])
    files.lease_folder(given_back).mkdir()
    (files.lease_folder(given_back) / "pack.1.free").write_bytes(format_holder(make_holder_elsewhere()))
    files.set_mark(given_back, "free")
    files.set_mark(ended, "ended")
    return files


def make_holder_elsewhere() -> Holder:
    """A process of another machine, of which nobody here knows whether it lives."""
    return Holder(host="another", machine="another", process=1, started=1.0, since="then", lost=1)


def _hold(files: QueueFiles, pack: str) -> None:
    files.lease_folder(pack).mkdir(parents=True)
    for name in ("pack.1.free", "pack.2.held"):
        (files.lease_folder(pack) / name).write_bytes(format_holder(make_holder_elsewhere()))


def _tell(file: Path, run: Run) -> None:
    scores = {"accuracy": 0.5, "loss": 1.0}
    point = EpochPoint(epoch=1, step=1, train_loss=1.0, learning_rate=0.1, valid=scores, seconds=1.0)
    writer = EventWriter(file, [run], lambda: float("inf"))
    for event in (RunStarted(run), StepDone(run, 1, 9, 0.5, 0.1), EpochDone(run, point, point)):
        writer.on_event(event)
    writer._write()
