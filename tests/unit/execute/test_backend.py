"""The seam of backends: a study asks three methods of one, and all of them treat lost runs alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.events import Event, OnEvent, RunEnded
from headstart.execute.backend import Backend, split_lost_pack
from headstart.execute.open_study import OpenStudy, open_study
from headstart.experiment import run_missing
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
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


@pytest.fixture
def lost(study_file: StudyFile) -> Callable[[int], tuple[list[Pack], Pack, RunStore, list[str]]]:
    """Loses a pack of so many bags of words; gives what to try, the pack, the store, and what ended."""
    study = load_study(study_file(arms={"words": {"method": "bag-of-words"}}, seeds=[0, 1, 2]))
    runs = expand_runs(study)
    prepared, store = prepare_study(study, runs), RunStore(Path(study.out))
    ended: list[str] = []

    def on_event(event: Event) -> None:
        assert isinstance(event, RunEnded)
        ended.append(event.record.key)

    def lose(count: int) -> tuple[list[Pack], Pack, RunStore, list[str]]:
        pack = Pack(runs[:count])
        return split_lost_pack(pack, "was killed by signal 9", prepared, store, on_event), pack, store, ended

    return lose


Lost = Callable[[int], tuple[list[Pack], Pack, RunStore, list[str]]]


def test_a_lost_pack_is_tried_again_in_halves(lost: Lost) -> None:
    again, pack, store, ended = lost(3)
    assert [run for part in again for run in part.runs] == list(pack.runs)
    assert sorted(len(part.runs) for part in again) == [1, 2]
    assert (ended, list(store.read_records())) == ([], [])


def test_a_lost_run_has_failed_and_says_why(lost: Lost) -> None:
    again, _, store, ended = lost(1)
    (record,) = store.read_records()
    assert (again, record.status, ended) == ([], "failed", ["words/all/0"])
    assert "run words/all/0: its process was killed by signal 9" in str(record.error)
    assert "lower workers or training.batch_size" in str(record.error)
