"""What a study needs: what does not fit is said, packs carry what is expected of them, disk is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fake_gpus import fake_gpus, make_gpus
from headstart import Plan, load_study, plan, run
from headstart.config.runs import expand_runs
from headstart.planning.estimate import estimate_study
from headstart.planning.expected import describe_expected, predict_seconds
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepTimes
from headstart.planning.study_estimate import StudyEstimate
from headstart.records import Range
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
GIB = 2**30
#: Ten steps of 0.1 s, whatever their tokens, and an evaluation of next to nothing.
TIMES = StepTimes(0.1, GIB, tuple((100 + i, 0.1) for i in range(10)), (1000, 1e-9))


def folder_bytes(folder: Path) -> int:
    """What files below a folder take."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def planned(study_file: StudyFile, **changes: Any) -> Plan:
    return plan(load_study(study_file(**changes)))


def _memory_warnings(study_plan: Plan) -> list[str]:
    return [warning.message for warning in study_plan.warnings if warning.kind == "memory"]


def test_what_does_not_fit_is_said(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=GIB // 10, total=64 * GIB))
    (text,) = _memory_warnings(planned(study_file))
    assert "a run of pretrained, random needs" in text
    assert "0.1 GiB is free" in text
    assert "training.batch_size" in text


def _lowest(study_plan: Plan) -> float:
    memory = study_plan.cost.groups[0].memory_bytes
    assert memory is not None
    return memory.low


def test_more_processes_than_memory_holds_are_said(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = 2.5 * _lowest(planned(study_file))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=available, total=64 * GIB))
    assert _memory_warnings(planned(study_file, workers=2)) == []
    (text,) = _memory_warnings(planned(study_file, workers=4))
    assert "lower workers to 2" in text


def test_a_pack_that_is_asked_for_needs_more(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = {pack: planned(study_file, pack=pack, seeds=[0, 1]) for pack in (1, 4)}
    assert plans[4].cost.groups[0].pack == 4
    assert _lowest(plans[4]) > _lowest(plans[1])
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=GIB // 10, total=64 * GIB))
    (text,) = _memory_warnings(planned(study_file, pack=4, seeds=[0, 1]))
    assert "4 runs of pretrained, random together need" in text
    assert "lower pack" in text


def test_a_full_disk_is_said(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    (warning,) = [warning for warning in planned(study_file).warnings if warning.kind == "disk"]
    assert "set out to another disk" in warning.message


def test_disk_is_about_what_a_study_leaves(study_file: StudyFile, tmp_path: Path) -> None:
    study = load_study(study_file(arms={"full": {}, "lora": {"method": "lora"}, "words": None}))
    expected = plan(study).cost.disk.output_bytes
    run(study)
    # A tiny model's weights weigh little beside what every run writes.
    assert 0.3 * folder_bytes(tmp_path / "out") < expected < folder_bytes(tmp_path / "out")


@pytest.fixture
def estimate(study_file: StudyFile, tmp_path: Path) -> StudyEstimate:
    """Of two neural arms and a bag of words, two seeds each."""
    study = load_study(study_file(seeds=[0, 1], training={"epochs": 1, "batch_size": 8}))
    runs = expand_runs(study)
    return estimate_study(runs, runs, prepare_study(study, runs), 300 << 20, tmp_path)


def test_packs_carry_what_is_expected_of_them(estimate: StudyEstimate) -> None:
    placement = Placement(1, 1, "", 2, times=(TIMES,), timed=estimate.groups[0].group.runs[0].key)
    packs = estimate.with_placement(placement).plan_packs(placement)
    assert [len(pack.runs) for pack in packs] == [2, 2, 1, 1]
    first, second, *words = [pack.estimate for pack in packs]
    assert first is not None
    assert first.seconds is not None
    # 2 runs of 60 examples in batches of 8: 16 steps of 0.1 s, 15% to both sides.
    assert (first.seconds.low, first.seconds.high) == pytest.approx((1.6 * 0.85, 1.6 * 1.15), rel=1e-4)
    assert first == second
    assert [(own.memory_bytes, own.seconds) for own in words if own] == [(None, None)] * 2


def test_the_time_of_all_packs_is_known_where_that_of_each_is(estimate: StudyEstimate) -> None:
    placement = Placement(1, 1, "", 2, times=(TIMES,), timed=estimate.groups[0].group.runs[0].key)
    packs = estimate.with_placement(placement).plan_packs(placement)
    total = predict_seconds(packs, placement)
    assert total is not None
    assert total.low == pytest.approx(3.2 * 0.85, rel=1e-4)
    assert predict_seconds([*packs, replace(packs[0], estimate=None)], placement) is None
    assert describe_expected(packs, placement).startswith("expected: 3 s to 4 s, ")


def test_without_times_only_memory_is_expected(estimate: StudyEstimate) -> None:
    placement = Placement(1, 1, "")
    packs = estimate.plan_packs(placement)
    assert predict_seconds(packs, placement) is None
    assert describe_expected(packs, placement).startswith("expected: 0.")
    assert describe_expected(packs, placement).endswith("GiB of memory a process")
    assert describe_expected([pack for pack in packs if pack.runs[0].arm == "words"], placement) == ""


def test_costs_know_packs_and_seconds_once_a_placement_is_chosen(estimate: StudyEstimate) -> None:
    assert (estimate.cost.packs, estimate.cost.seconds) == (None, None)
    placement = Placement(1, 1, "", 2, times=(TIMES,), timed=estimate.groups[0].group.runs[0].key)
    cost = estimate.with_placement(placement).cost
    assert cost.packs is not None
    assert isinstance(cost.seconds, Range)
    measured = [group.measured for group in cost.groups]
    assert measured[0] is not None
    assert (measured[0].memory_bytes, measured[0].seconds_per_step, measured[0].runs) == (GIB, 0.1, 1)
    assert measured[1:] == [None]


# GPUs


def test_on_a_gpu_its_memory_is_what_is_told(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpus(monkeypatch, make_gpus(free=70))
    study_plan = planned(study_file, device="auto", pack=2, seeds=[0, 1])
    group, *words = study_plan.cost.groups
    assert (group.pack, group.memory_bytes) == (2, None)
    assert {other.device_memory_bytes for other in words} == {None}
    assert group.device_memory_bytes is not None
    assert study_plan.cost.gpus == make_gpus(free=70)
    values = study_plan.to_dict()
    assert values["cost"]["gpus"] == [{"name": "Fake 80", "total_bytes": 80 * GIB, "free_bytes": 70 * GIB}]
    assert values["groups"][0]["device_memory_bytes"]["low"] == group.device_memory_bytes.low
    assert study_plan.warnings == ()


def test_what_a_gpu_does_not_hold_is_said(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a GiB is CUDA's own."""
    fake_gpus(monkeypatch, make_gpus(free=0.4))
    (text,) = _memory_warnings(planned(study_file, device="cuda"))
    assert text.startswith("a run of pretrained, random needs 0.5 to 0.")
    assert "GiB of GPU memory, and 0.4 GiB is free on Fake 80: " in text


def test_packs_on_a_gpu_carry_what_is_expected_of_them_there(
    study_file: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus(monkeypatch, make_gpus())
    study = load_study(study_file(device="auto"))
    runs = expand_runs(study)
    estimate = estimate_study(runs, runs, prepare_study(study, runs), 0, tmp_path, make_gpus())
    packs = estimate.plan_packs(Placement(1, 0, "", 2))
    first = packs[0].estimate
    assert first is not None
    assert (first.memory_bytes, first.device_memory_bytes is not None) == (None, True)
    assert describe_expected(packs, Placement(1, 0, "")).endswith("GiB of GPU memory a process")


@pytest.mark.parametrize(
    ("device", "setting", "told"), [("cpu", "on", True), ("cpu", "auto", False), ("cuda", "on", False)]
)
def test_compiling_on_a_cpu_is_said_to_have_no_effect(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch, device: str, setting: str, told: bool
) -> None:
    fake_gpus(monkeypatch, make_gpus())
    warnings = planned(study_file, device=device, execution={"compile": setting}).warnings
    assert [warning.kind for warning in warnings] == ["compile"] * told
    assert not told or "execution.compile: on has no effect on a CPU" in warnings[0].message


def test_a_warm_up_that_outlasts_a_runs_steps_is_said(study_file: StudyFile) -> None:
    def tell(**training: Any) -> list[str]:
        found = planned(study_file, training={"epochs": 1, "batch_size": 8} | training).warnings
        return [warning.message for warning in found if warning.kind == "warmup"]

    assert tell() == []
    (text,) = tell(warmup=5_000)
    assert "training.warmup 5,000 is more than all steps of runs of pretrained (" in text
    assert "random (" in text
