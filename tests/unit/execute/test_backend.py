"""The seam of backends: a study asks three methods of one, and all of them treat lost runs alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.events import Event, OnEvent, RunEnded
from headstart.execute.backend import Backend, Losses
from headstart.execute.open_study import OpenStudy, open_study
from headstart.experiment import run_missing
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.records import RunRecord
from headstart.store import ended_packs
from headstart.store.records import write_whole_record
from headstart.store.runs import RunStore
from headstart.training.prepare import prepare_study
from headstart.training.train_pack import train_pack

StudyFile = Callable[..., Path]


class _Queue:
    """A backend that copies nothing of `local`: it trains one pack after the other, and invents times."""

    def __init__(self, opened: OpenStudy) -> None:
        self._opened = opened
        self.calls: list[str] = []

    def run_packs(self, packs: Sequence[Pack], placement: Placement, on_event: OnEvent) -> None:
        self.calls.append(f"run {[len(pack.runs) for pack in packs]} on {placement.workers}")
        for pack in packs:
            train_pack(pack, self._opened.prepared, self._opened.store, placement.workers, on_event)

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """Packs of two are twice as fast a run-step."""
        runs = len(benchmarks[0].runs)
        self.calls.append(f"time {len(benchmarks)} x {runs}")
        return [StepTimes(1.0, 1)] * len(benchmarks)

    def stop(self) -> None:
        self.calls.append("stop")


def test_a_study_runs_on_any_backend(study_file: StudyFile) -> None:
    """Long enough for a choice: one worker is asked for, and packs are timed until they hold the group."""
    training = {"steps": 60, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}
    opened = open_study(load_study(study_file(arms=arms, seeds=[0, 1], workers=1, training=training)))
    queue = _Queue(opened)
    backend: Backend = queue
    ended: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, RunEnded):
            ended.append(event.record.key)

    results = run_missing(opened, backend, on_event)
    assert queue.calls == ["time 1 x 1", "time 1 x 2", "time 1 x 4", "stop", "run [4, 1, 1] on 1"]
    assert {record.status for record in results.records} == {"done"}
    assert sorted(ended) == sorted(run.key for run in opened.runs)
    assert opened.missing == ()
    assert (results.out / "models" / "pretrained").is_dir()


# A lost process


class _Lost:
    """A pack of so many bags of words, what becomes of it, and what is told of."""

    def __init__(self, file: Path, count: int) -> None:
        study = load_study(file)
        runs = expand_runs(study)
        self.prepared, self.store = prepare_study(study, runs), RunStore(Path(study.out))
        self.pack, self.ended, self.said = Pack(runs[:count]), list[str](), list[str]()
        self._losses = Losses(self.prepared, self.store, self.said.append)

    def lose(self, code: int | None, *told: str) -> list[Pack]:
        """Its process ends so."""
        return self._losses.take_back(self.pack, code, told, self._on_event)

    def _on_event(self, event: Event) -> None:
        assert isinstance(event, RunEnded)
        self.ended.append(event.record.key)


@pytest.fixture
def lost(study_file: StudyFile) -> Callable[[int], _Lost]:
    """Makes a pack of so many runs."""
    file = study_file(arms={"words": {"method": "bag-of-words"}}, seeds=[0, 1, 2])
    return lambda count: _Lost(file, count)


Make = Callable[[int], _Lost]


@pytest.mark.parametrize("code", [-9, -15, 255, None])
def test_a_pack_whose_process_was_killed_is_tried_again_as_it_was_and_then_in_halves(
    lost: Make, code: int | None
) -> None:
    own = lost(3)
    assert own.lose(code) == [own.pack]
    again = own.lose(code)
    assert [run for part in again for run in part.runs] == list(own.pack.runs)
    assert sorted(len(part.runs) for part in again) == [1, 2]
    assert (own.ended, list(own.store.read_records())) == ([], [])
    assert ["as it was" in said or "resuming from the saved state" in said for said in own.said] == [
        True,
        False,
    ]
    assert "in two halves: words/all/0, words/all/1, words/all/2" in own.said[1]


def test_a_pack_whose_process_ended_by_itself_is_halved_at_once(lost: Make) -> None:
    assert len(lost(2).lose(1)) == 2


def test_a_run_that_is_lost_twice_has_failed_and_says_why(lost: Make) -> None:
    own = lost(1)
    assert own.lose(-9) == [own.pack]
    assert own.lose(-9) == []
    (record,) = own.store.read_records()
    assert (record.status, own.ended) == ("failed", ["words/all/0"])
    assert "run words/all/0: its process was killed by signal 9, twice" in str(record.error)
    assert "lower workers or training.batch_size" in str(record.error)


def test_a_pack_that_had_ended_when_its_process_died_is_not_trained_again(
    lost: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = lost(2)
    _write_and_die(own, monkeypatch)
    assert [record.key for record in own.store.read_records()] == ["words/all/0", "words/all/1"]
    monkeypatch.undo()
    assert own.lose(-9, "words/all/0") == []
    assert own.ended == ["words/all/1"], "the other was told of before"
    assert len(list(own.store.out.glob("runs/*/*/*/record.json"))) == 2
    assert not own.store.ended_folder.exists()


def _write_and_die(lost: _Lost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the pack in a process that dies when the first of its two records is in its folder."""
    written = list[str]()

    def write_one(layout: RunStore, record: RunRecord) -> None:
        if written:
            raise _DiedError
        written.append(record.key)
        write_whole_record(layout, record)

    monkeypatch.setattr(ended_packs, "write_whole_record", write_one)
    with pytest.raises(_DiedError):
        train_pack(lost.pack, lost.prepared, lost.store, 1, lambda event: None)


class _DiedError(BaseException):
    """What a signal does."""
