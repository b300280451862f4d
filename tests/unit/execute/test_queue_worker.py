"""Whatever ends a worker of a queue, the packs that it has in hand are given back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
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
from headstart.os_faults import MachineError
from headstart.records.queue import PackList, QueuedPack, QueueManifest
from headstart.store import lease_files
from headstart.store.pack_queue import LeasedPack
from headstart.store.queue_files import QueueFiles
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study
from queued_studies import StandInTrainer

StudyFile = Callable[..., Path]
WORDS = {"words": {"method": "bag-of-words"}}


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
    monkeypatch.setattr(pool, "WorkerProcess", StandInTrainer)
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
    monkeypatch.setattr(StandInTrainer, "dies", dies)
    monkeypatch.setattr(owner, name, _refuse)
    with pytest.raises(MachineError, match="no space left"):
        worker.work(1)
    files = QueueFiles(worker._store)
    assert [entry.is_free for entry in files.list_leases(pack.id)] == [True]
    assert files.is_marked(pack.id, "free")


FULL = "the disk is full"


def test_a_trainer_that_meets_a_full_disk_ends_the_worker_and_gives_its_pack_back(
    queue: tuple[QueueWorker, QueuedPack], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, pack = queue
    monkeypatch.setattr(StandInTrainer, "error", MachineError(FULL, number=errno.ENOSPC))
    with pytest.raises(MachineError, match=FULL):
        worker.work(1)
    files = QueueFiles(worker._store)
    assert [entry.is_free for entry in files.list_leases(pack.id)] == [True]
    assert (files.list_marked("free"), files.list_marked("ended")) == ({pack.id}, set())


def test_where_no_mark_can_be_made_either_the_pack_is_free_by_its_lease(
    queue: tuple[QueueWorker, QueuedPack], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, pack = queue

    def touch(file: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "touch", touch)
        with pytest.raises(MachineError, match=FULL):
            worker.work(1)
    files = QueueFiles(worker._store)
    assert [entry.is_free for entry in files.list_leases(pack.id)] == [True]
    again = QueueWorker(worker._queue, worker._manifest, Tally(), most_packs=1)
    assert again.work(1) == "most-packs"
    assert files.list_marked("ended") == {pack.id}


def test_where_no_lease_can_be_made_nothing_is_taken(
    queue: tuple[QueueWorker, QueuedPack], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, pack = queue

    def make(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", make)
    monkeypatch.setattr(lease_files, "_create", make)
    with pytest.raises(MachineError, match=FULL):
        worker.work(1)
    assert QueueFiles(worker._store).list_leases(pack.id) == []
