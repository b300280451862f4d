"""The coordinator of a queue tells of what workers ended, gives up what never ends, and ends as any run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headstart
from headstart.commands import work as work_command
from headstart.config.runs import Pack, expand_runs
from headstart.errors import HeadstartError, TrainingError
from headstart.events import Event, RunEnded
from headstart.execute import pool
from headstart.execute.queue import QueueBackend, open_queue_backend
from headstart.execute.worker import PackJob
from headstart.planning.placement import Placement
from headstart.prepared import PreparedStudy
from headstart.records import RunRecord
from headstart.records.queue import QueueManifest
from headstart.store.fences import LeaseLostError
from headstart.store.queue_files import QueueFiles
from headstart.store.runs import RunStore
from headstart.store.study_lock import hold_study_folder
from headstart.training import train_pack as training
from headstart.training.prepare import prepare_study
from headstart.training.run_records import make_failed_record
from queued_studies import StandInTrainer, passing_time

StudyFile = Callable[..., Path]
WORDS = {"words": {"method": "bag-of-words"}}
PLACE = Placement(1, 1, "", 1)


class _Queue:
    """A study of two bags of words, each a pack, and its coordinator in this process."""

    def __init__(self, file: Path) -> None:
        study = headstart.load_study(file)
        self.store, runs = RunStore(Path(study.out)), expand_runs(study)
        self.store.open_study(study)
        self.files, self.packs = QueueFiles(self.store), [Pack((run,)) for run in runs]
        self.prepared = prepare_study(study, runs)
        self.ended, self.said = list[RunRecord](), list[str]()

    @property
    def waiting(self) -> list[str]:
        """The packs as the list has them."""
        return [pack.id for pack in self.files.read_list(1).packs]

    def read_manifest(self) -> QueueManifest:
        """It is there."""
        manifest = self.files.read_manifest()
        assert manifest is not None
        return manifest

    def hear(self, event: Event) -> None:
        """Remember what ended."""
        assert isinstance(event, RunEnded)
        self.ended.append(event.record)

    def train(self, place: int) -> None:
        """Leave what a worker leaves of the pack at that place, in no time."""
        (run,) = self.packs[place].runs
        record = make_failed_record(self.prepared.select(run), TrainingError("none"))
        self.store.write_record(record.model_copy(update={"status": "done", "error": None}))
        self.files.set_mark(self.waiting[place], "ended")

    def coordinate(self, looks: int, at_look: Callable[[int], None] = lambda _: None) -> None:
        """Publish both packs and wait for so long; whoever still waits then is interrupted."""
        with (
            passing_time(looks, at_look),
            open_queue_backend(self.prepared, self.store, self.said.append) as it,
        ):
            it.run_packs(self.packs, PLACE, self.hear)


@pytest.fixture
def queue(study_file: StudyFile) -> _Queue:
    return _Queue(study_file(arms=WORDS, seeds=[0, 1]))


def test_what_workers_end_is_told_and_the_queue_closed(queue: _Queue) -> None:
    queue.coordinate(9, lambda look: queue.train(look) if look < 2 else None)
    assert [(record.key, record.status) for record in queue.ended] == [
        (pack.runs[0].key, "done") for pack in queue.packs
    ]
    assert queue.read_manifest().state == "closed"
    assert [path.name for path in queue.files.folder.iterdir()] == ["queue.json"]


def test_a_coordinator_that_is_interrupted_leaves_what_is_left_to_workers(queue: _Queue) -> None:
    queue.coordinate(3, lambda look: queue.train(0) if look == 0 else None)
    assert len(queue.ended) == 1
    assert queue.read_manifest().state == "open"
    assert queue.files.list_marked("ended") == {queue.waiting[0]}
    again = QueueBackend(queue.prepared, queue.store)
    again._publish(queue.packs, PLACE)
    assert queue.files.list_marked("ended") == {queue.waiting[0]}, "its record is there"
    shutil.rmtree(queue.store.runs_folder)
    again._publish(queue.packs, PLACE)
    assert queue.files.list_marked("ended") == set(), "its record is not there: it is trained again"


def test_a_pack_that_is_said_to_end_and_leaves_no_record_is_given_up(queue: _Queue) -> None:
    first = list[str]()

    def lie(look: int) -> None:
        first[:] = first or queue.waiting[:1]
        queue.files.set_mark(first[0], "ended")
        if look == 0:
            queue.train(1)

    queue.coordinate(9, lie)
    told = {record.key: (record.status, record.error) for record in queue.ended}
    assert told[queue.packs[1].runs[0].key] == ("done", None)
    status, error = told[queue.packs[0].runs[0].key]
    assert (status, "said to have ended 3 times without a record" in str(error)) == ("failed", True)
    assert sum("not all records are there" in sentence for sentence in queue.said) == 3


def test_a_pack_that_is_said_to_end_once_is_free_again(queue: _Queue) -> None:
    def lie(look: int) -> None:
        if look == 0:
            queue.files.set_mark(queue.waiting[0], "ended")

    queue.coordinate(3, lie)
    assert queue.files.list_marked("ended") == set()
    assert queue.files.list_marked("free") == {queue.waiting[0]}
    assert queue.ended == []


def test_a_coordinator_that_has_lost_the_folder_writes_nothing_more(queue: _Queue) -> None:
    with hold_study_folder(queue.store.out) as fence:
        queue.store = RunStore(queue.store.out, fence)
        with pytest.raises(LeaseLostError):
            queue.coordinate(9, lambda _: fence.file.unlink())
    assert queue.read_manifest().state == "open", "it is another's to close"


# All runs fail


class _TrainerHere(StandInTrainer):
    """Trains a pack in this process."""

    def __init__(self, _: Any, study: PreparedStudy, store: RunStore, *more: Any) -> None:
        super().__init__()
        self._study, self._store = study, store

    def train(self, job: PackJob) -> None:
        """Train it, and then answer."""
        training.train_pack(job.pack, self._study, self._store, 1, self._theirs.send)
        super().train(job)


def _diverge(*_: Any) -> Any:
    raise TrainingError("the training loss is nan")


@pytest.fixture
def _all_fails_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_run_methods", _diverge)
    monkeypatch.setattr(pool, "WorkerProcess", _TrainerHere)
    monkeypatch.setattr(work_command, "preload_workers", lambda: None)


def _run(file: Path, **options: Any) -> tuple[type[BaseException], str]:
    """The error, by which a command's exit code is chosen, and its lines without the folder."""
    with pytest.raises(HeadstartError) as caught:
        headstart.run(headstart.load_study(file), **options)
    return caught.type, str(caught.value).replace(str(file.parent / "out"), "OUT")


@pytest.mark.usefixtures("_all_fails_here")
def test_where_all_runs_fail_the_coordinator_ends_as_a_plain_run(study_in: StudyFile, tmp_path: Path) -> None:
    for name in ("here", "queued"):
        (tmp_path / name).mkdir()
    alone = study_in(tmp_path / "here", arms=WORDS, seeds=[0, 1], pack=1)
    queued = study_in(tmp_path / "queued", arms=WORDS, seeds=[0, 1], workers=1, pack=1)
    worked = list[Any]()

    def work(_: int) -> None:
        out = queued.parent / "out"
        if not worked and (out / ".headstart/queue/queue.json").exists():
            worked.append(None)
            worked[0] = headstart.work(out, workers=1, most_packs=2)

    with passing_time(40, work):
        of_queue = _run(queued, local_workers=False)
    assert of_queue == _run(alone)
    assert "every run failed; the first: the training loss is nan" in of_queue[1]
    assert sorted(worked[0].failed) == ["words/all/0", "words/all/1"]
    assert worked[0].done == ()
