"""Whatever ends a worker of a queue, the packs that it has in hand are given back."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.execute import pool
from headstart.execute.backend import Losses
from headstart.execute.open_queue import OpenQueue
from headstart.execute.queue_worker import QueueWorker, Tally
from headstart.execute.queued_packs import describe_pack
from headstart.execute.worker import JobDone, PackJob
from headstart.os_faults import MachineError
from headstart.records.queue import PackList, QueuedPack, QueueManifest
from headstart.store.pack_queue import LeasedPack
from headstart.store.queue_files import QueueFiles
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
WORDS = {"words": {"method": "bag-of-words"}}


class _Trainer:
    """Stands for a worker process: says that it is done with a pack, or dies."""

    dies = False

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
            self._theirs.send(JobDone())

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

    def stop(self) -> None:
        """It is no process."""


@pytest.fixture
def queue(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> tuple[QueueWorker, QueuedPack]:
    """A worker of a queue with one pack, without processes."""
    study = load_study(study_file(arms=WORDS, seeds=[0]))
    store, runs = RunStore(Path(study.out)), expand_runs(study)
    store.open_study(study)
    files, pack = QueueFiles(store), describe_pack(Pack(runs))
    files.write_list(1, PackList(queue="0" * 16, threads=1, packs=(pack,)))
    manifest = QueueManifest(
        queue="0" * 16, state="open", study="0" * 64, data="", precision="fp32", stale_seconds=60.0, lists=1
    )
    files.write_manifest(manifest)
    monkeypatch.setattr(pool, "WorkerProcess", _Trainer)
    return QueueWorker(OpenQueue(study, store, prepare_study(study, runs), files), manifest, Tally()), pack


def _refuse(*_: Any) -> None:
    raise MachineError("no space left on device")


@pytest.mark.parametrize(
    ("dies", "owner", "name"),
    [(True, Losses, "take_back"), (True, QueueWorker, "_exchange"), (False, LeasedPack, "end")],
    ids=["loss", "process", "end"],
)
def test_where_the_machine_refuses_the_pack_is_given_back(
    queue: tuple[QueueWorker, QueuedPack],
    monkeypatch: pytest.MonkeyPatch,
    dies: bool,
    owner: type,
    name: str,
) -> None:
    """As it is noted what became of a pack, or a process is begun in the place of one that died."""
    worker, pack = queue
    monkeypatch.setattr(_Trainer, "dies", dies)
    monkeypatch.setattr(owner, name, _refuse)
    with pytest.raises(MachineError, match="no space left"):
        worker.work(1)
    files = QueueFiles(worker._store)
    assert [entry.is_free for entry in files.list_leases(pack.id)] == [True]
    assert files.is_marked(pack.id, "free")
