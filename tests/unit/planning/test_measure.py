"""Real steps: each kind of run is timed once, in new processes, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fake_gpus import fake_gpus, make_gpus
from headstart import load_study, plan
from headstart.config.runs import expand_runs
from headstart.planning.estimate import estimate_study
from headstart.planning.measure import measure_groups, place_study
from headstart.planning.step_benchmark import StepBenchmark, StepTimes
from headstart.planning.study_estimate import StudyEstimate
from headstart.records import Gpu
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
ARMS = {
    "full": {},
    "random": {"init": "random"},
    "lora": {"method": "lora", "lora": {"r": 2}},
    "other": {"init": "random", "method": "lora", "lora": {"r": 2}},
    "probe": {"method": "probe"},
    "words": {"method": "bag-of-words"},
}


class _Timer:
    """Remembers what it is asked, with the times at which it was stopped."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """As many answers as benchmarks."""
        runs = benchmarks[0].runs
        self.asked.append(f"{len(benchmarks)} x {len(runs)} {runs[0].arm}")
        return [StepTimes(1.0, 100)] * len(benchmarks)

    def stop(self) -> None:
        """Remembered."""
        self.asked.append("stop")


@pytest.fixture
def estimate(study_file: StudyFile, tmp_path: Path) -> Callable[..., StudyEstimate]:
    def make(gpus: tuple[Gpu, ...] = (), **changes: object) -> StudyEstimate:
        study = load_study(study_file(**{"arms": ARMS, "confounded": True, **changes}))
        runs = expand_runs(study)
        return estimate_study(runs, runs, prepare_study(study, runs), 0, tmp_path, gpus)

    return make


def test_each_kind_of_run_is_timed_once_in_new_processes(estimate: Callable[..., StudyEstimate]) -> None:
    """Adapters over two bases are one kind, though they cannot be one pack."""
    timer = _Timer()
    measured = measure_groups(estimate(workers=1, pack=1), timer)
    assert timer.asked == ["stop", "1 x 1 full", "stop", "1 x 1 lora"]
    times = {row.group.runs[0].arm: len(row.times) for row in measured.groups}
    assert times == {"full": 1, "lora": 1, "other": 1, "probe": 0, "words": 0}


def test_packs_that_are_asked_for_are_timed_as_such(estimate: Callable[..., StudyEstimate]) -> None:
    timer = _Timer()
    measured = measure_groups(estimate(workers=0, pack=2), timer)
    assert timer.asked == ["stop", "1 x 2 full", "stop", "1 x 1 lora"]
    assert [row.timed_runs for row in measured.groups][:3] == [2, 1, 1]


def test_a_study_without_steps_is_not_timed(estimate: Callable[..., StudyEstimate]) -> None:
    given = estimate(arms={"words": {"method": "bag-of-words"}})
    timer = _Timer()
    assert measure_groups(given, timer) is given
    assert timer.asked == []


def test_in_this_process_nothing_is_timed(estimate: Callable[..., StudyEstimate]) -> None:
    timer = _Timer()
    placement = place_study(estimate(workers=0, pack=3), timer)
    assert (placement.workers, placement.pack, timer.asked) == (0, 3, [])


def test_in_this_process_a_gpu_is_filled_as_far_as_memory_holds(
    estimate: Callable[..., StudyEstimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus(monkeypatch, make_gpus())
    arms = {"full": {}, "random": {"init": "random"}, "words": None}
    timer = _Timer()
    placement = place_study(estimate(make_gpus(), arms=arms, workers=0, seeds=3, device="auto"), timer)
    assert (placement.workers, placement.pack, timer.asked) == (0, 6, [])


def test_few_steps_on_two_gpus_are_not_timed(
    estimate: Callable[..., StudyEstimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside runs whose settings are a mapping."""
    fake_gpus(monkeypatch, make_gpus(2))
    arms = {"own": {"method": "peft", "peft": {"peft_type": "IA3"}}, "full": {}, "words": None}
    timer = _Timer()
    given = estimate(make_gpus(2), arms=arms, seeds=4, workers="auto", device="auto")
    placement = place_study(given, timer)
    assert (placement.workers, placement.pack, timer.asked) == (2, 2, [])


def test_a_probe_measures_and_forgets(study_file: StudyFile, tmp_path: Path) -> None:
    arms = {key: ARMS[key] for key in ("full", "random", "lora", "words")}
    study = load_study(study_file(arms=arms, workers=1, training={"epochs": 2, "batch_size": 8}))
    cost = plan(study, probe=True).cost
    assert cost.seconds is not None
    assert 0 < cost.seconds.low < cost.seconds.high
    measured = [group.measured for group in cost.groups if group.measured]
    assert len(measured) == 2  # full and random are one
    assert all(row.memory_bytes > 0 and row.seconds_per_step > 0 for row in measured)
    assert not (tmp_path / "out").exists()
