"""Workers take packs of a study's folder; what is not a queue of that study's is refused in one message."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import headstart
from headstart.analysis.results import Results
from headstart.commands import work as work_command
from headstart.config.study import Study
from headstart.execute.open_queue import OpenQueue
from headstart.execute.queue_worker import QueueWorker
from headstart.records import Estimate, Range
from headstart.store.holders import describe_this_process
from headstart.store.layout import StudyLayout
from headstart.store.lease import take_lease
from headstart.store.lease_files import format_holder
from headstart.store.queue_files import PACK_LEASE, QueueFiles

StudyFile = Callable[..., Path]
WORDS = {"words": {"method": "bag-of-words"}, "more": {"method": "bag-of-words"}}


class _Coordinator(threading.Thread):
    """`headstart run --no-local-workers` in this process."""

    def __init__(self, study: Study) -> None:
        super().__init__(daemon=True)
        self._study, self.said, self.ended = study, list[str](), list[str]()
        self.results: Results | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Run it to its end."""
        try:
            self.results = headstart.run(self._study, self._hear, self.said.append, local_workers=False)
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            self.error = error

    def _hear(self, event: Any) -> None:
        if hasattr(event, "record"):
            self.ended.append(event.record.key)


@contextmanager
def coordinate(file: Path, *overrides: str) -> Iterator[_Coordinator]:
    """A coordinator that has published the study's packs; it is awaited at the end of the block."""
    study = headstart.load_study(file, overrides)
    coordinator = _Coordinator(study)
    coordinator.start()
    files = QueueFiles(StudyLayout(Path(study.out)))
    while (manifest := files.read_manifest()) is None or manifest.state == "closed":
        assert coordinator.is_alive(), coordinator.error
        time.sleep(0.02)
    yield coordinator
    coordinator.join(timeout=300)
    assert not coordinator.is_alive()
    assert coordinator.error is None


def test_a_worker_trains_what_waits_and_ends_with_the_study(study_file: StudyFile, tmp_path: Path) -> None:
    with coordinate(study_file(arms=WORDS, seeds=[0, 1], control="words")) as coordinator:
        work = headstart.work(tmp_path / "out", workers=1)
    assert coordinator.results is not None
    assert {record.status for record in coordinator.results.records} == {"done"}
    assert sorted(work.done) == sorted(coordinator.ended)
    assert (work.packs, work.failed, work.ending) == (4, (), "closed")
    assert "4 packs (4 runs)" in str(work)
    left = sorted(path.name for path in (tmp_path / "out/.headstart/queue").iterdir())
    assert left == ["queue.json"]
    assert "4 runs wait for workers: headstart work " + str(tmp_path / "out") in coordinator.said


def test_a_worker_that_comes_after_the_end_has_nothing_to_do_and_nothing_to_wait_for(
    study_file: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with coordinate(study_file(arms=WORDS, control="words")):
        headstart.work(tmp_path / "out", workers=1)
    said: list[str] = []
    monkeypatch.setattr("headstart.commands.work.time.sleep", pytest.fail)
    work = headstart.work(tmp_path / "out", log=said.append, wait=3600)
    assert (work.packs, work.ending) == (0, "closed")
    assert said == [f"the study in {tmp_path / 'out'} has ended: there is nothing to train"]


def test_as_many_packs_are_taken_as_were_asked_for(study_file: StudyFile, tmp_path: Path) -> None:
    with coordinate(study_file(arms=WORDS, seeds=[0, 1], control="words")):
        first = headstart.work(tmp_path / "out", workers=1, most_packs=1)
        second = headstart.work(tmp_path / "out", workers=1)
    assert (first.packs, first.ending) == (1, "most-packs")
    assert (second.packs, second.ending) == (3, "closed")


def test_without_a_queue_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(headstart.HeadstartError, match="no study waits for workers there") as caught:
        headstart.work(tmp_path / "nowhere")
    assert caught.value.fix is not None
    assert "--no-local-workers" in caught.value.fix
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("options", "where"),
    [({"workers": 0}, "--workers"), ({"most_packs": 0}, "--most-packs"), ({"wait": -1.0}, "--wait")],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any], where: str, tmp_path: Path) -> None:
    with pytest.raises(headstart.HeadstartError) as caught:
        headstart.work(tmp_path, **options)
    assert caught.value.where == where


def test_an_ordinary_run_is_refused_while_a_worker_has_a_pack(study_file: StudyFile, tmp_path: Path) -> None:
    file = study_file(arms=WORDS, control="words")
    leases = tmp_path / "out/.headstart/queue/leases/0123456789abcdef"
    leases.mkdir(parents=True)
    with take_lease(leases, PACK_LEASE, [], stale=60.0) as fence:
        assert fence is not None
        with pytest.raises(headstart.HeadstartError, match="workers train its runs: process") as caught:
            headstart.run(headstart.load_study(file))
        assert "--no-local-workers" in str(caught.value.fix)
        assert fence.is_held
        assert not (tmp_path / "out/runs").exists()
    headstart.run(headstart.load_study(file))
    assert not leases.exists()


def test_an_ordinary_run_takes_over_from_a_worker_elsewhere_that_is_silent(
    study_file: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_STALE_SECONDS", "0.5")
    file = study_file(arms=WORDS, control="words")
    leases = tmp_path / "out/.headstart/queue/leases/0123456789abcdef"
    leases.mkdir(parents=True)
    elsewhere = describe_this_process().model_copy(update={"machine": "another", "host": "far"})
    (leases / "pack.1.held").write_bytes(format_holder(elsewhere))
    said: list[str] = []
    headstart.run(headstart.load_study(file), log=said.append)
    assert any("checking whether they are still running" in sentence for sentence in said)
    assert not leases.exists()


@pytest.mark.parametrize(("memory", "workers"), [(5e-324, 4), (math.nan, 4), (math.inf, 1), (2.0**30, 2)])
def test_as_many_processes_as_the_packs_memory_lets_whatever_it_is(
    memory: float, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_command, "count_gpus", lambda _: 0)
    monkeypatch.setattr(work_command, "count_processors", lambda: 4)
    monkeypatch.setattr(work_command, "measure_free_memory", lambda: 3 * 2**30)
    packs = [SimpleNamespace(estimate=Estimate(memory_bytes=Range(low=0.0, high=memory)))]
    worker = cast(QueueWorker, SimpleNamespace(threads=1, packs=packs))
    queue = cast(OpenQueue, SimpleNamespace(study=SimpleNamespace(device="cpu")))
    assert work_command._count_workers("auto", worker, queue) == workers
