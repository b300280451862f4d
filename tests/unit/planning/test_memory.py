"""What runs need: parameters as records count them, memory as it grows, and what cannot be known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_gpus import fake_gpus, make_gpus
from headstart import load_study, plan, run
from headstart.config.runs import expand_runs
from headstart.engine.trace import trace_memory
from headstart.methods import load_method
from headstart.planning import memory
from headstart.planning.memory import estimate_memory
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
ARMS: dict[str, Any] = {
    "full": {},
    "random": {"init": "random"},
    "lora": {"method": "lora", "lora": {"r": 2}},
    "probe": {"method": "probe"},
    "ia3": {
        "method": "peft",
        "peft": {"peft_type": "IA3", "target_modules": ["query"], "feedforward_modules": []},
    },
    "words": {"method": "bag-of-words"},
}


def test_parameters_are_those_that_records_count(study_file: StudyFile) -> None:
    study = load_study(study_file(arms=ARMS))
    expected = plan(study).cost.parameters
    records = {record.arm: record for record in run(study).records}
    assert expected.pop("words") is None
    for arm, parameters in expected.items():
        assert records[arm].parameters is not None
        assert records[arm].parameters == parameters, arm


def test_every_run_is_in_a_group_and_those_that_step_have_a_need(study_file: StudyFile) -> None:
    groups = plan(load_study(study_file(arms=ARMS))).cost.groups
    known = {key.partition("/")[0]: group.memory_bytes is not None for group in groups for key in group.runs}
    assert known == {arm: arm in ("full", "random", "lora", "ia3") for arm in ARMS}


def test_a_need_grows_with_batch_length_and_copies(study_file: StudyFile) -> None:
    def need(**training: Any) -> Any:
        study = load_study(study_file(arms={"full": {}, "words": None}, training={"epochs": 1} | training))
        runs = expand_runs(study)
        prepared = prepare_study(study, runs)
        return estimate_memory([prepared.select(run) for run in runs])

    small, wide, long = need(batch_size=4), need(batch_size=16), need(batch_size=4, epochs=2)
    assert wide.step > 2 * small.step
    assert long.member == 5 * small.member / 4  # the weights of the best epoch
    assert need(batch_size=4, max_length=6).step < small.step
    assert need(batch_size=16, gradient_checkpointing=True).step < wide.step
    assert small.member == 4 * 4 * _trained(study_file)


def _trained(study_file: StudyFile) -> int:
    study = load_study(study_file(arms={"full": {}, "words": None}, vocabulary="full"))
    runs = expand_runs(study)
    prepared = prepare_study(study, runs)
    parameters = load_method("full").count_parameters(prepared.select(runs[0]))
    assert parameters is not None
    used = load_study(study_file(arms={"full": {}, "words": None}))
    ids = prepare_study(used, runs).select(runs[0]).used_ids
    assert ids is not None
    rows = len(prepared.checkpoints[runs[0].checkpoint].tokenizer)
    return parameters.trainable - (rows - len(ids)) * 32


def test_on_a_gpu_masks_are_not_kept_and_a_stack_keeps_more(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def need(device: str, **training: Any) -> Any:
        settings = {"epochs": 1, "batch_size": 16, "precision": "fp32"} | training
        study = load_study(study_file(arms={"full": {}, "words": None}, training=settings, device=device))
        runs = expand_runs(study)
        prepared = prepare_study(study, runs)
        return estimate_memory([prepared.select(run) for run in runs])

    fake_gpus(monkeypatch, make_gpus())
    on_cpu, on_gpu = need("cpu"), need("auto")
    assert on_gpu.step < on_cpu.step
    assert on_gpu.step < on_gpu.stacked_step
    assert on_gpu.member == on_cpu.member
    assert on_gpu.evaluation > on_cpu.evaluation
    assert on_cpu.gradient == on_cpu.stacked_step == 0
    assert 4 * 64 * 32 <= on_gpu.gradient < on_gpu.member
    assert need("auto", gradient_checkpointing=True).stacked_step < on_gpu.stacked_step


def test_where_a_stack_cannot_be_traced_a_run_counts_as_it_is_alone(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trace(*arguments: Any, members: int, **settings: Any) -> Any:
        if members > 1:
            raise ValueError("an input has no rows grouped by 2 members")
        return traced(*arguments, members=members, **settings)

    traced = trace_memory
    monkeypatch.setattr(memory, "trace_memory", trace)
    fake_gpus(monkeypatch, make_gpus())
    study = load_study(study_file(arms={"full": {}, "words": None}, device="auto"))
    runs = expand_runs(study)
    need = estimate_memory([prepare_study(study, runs).select(runs[0])])
    assert need is not None
    assert need.stacked_step == need.step > 0


def test_every_method_that_steps_has_a_need_on_a_gpu_too(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus(monkeypatch, make_gpus())
    groups = plan(load_study(study_file(arms=ARMS, device="auto"))).cost.groups
    of_arm = {key.partition("/")[0]: group for group in groups for key in group.runs}
    known = {arm for arm, group in of_arm.items() if group.device_memory_bytes is not None}
    assert known == {"full", "random", "lora", "ia3"}
    low = {arm: group.device_memory_bytes.low for arm, group in of_arm.items() if group.device_memory_bytes}
    assert low["lora"] < low["full"]


def test_a_model_that_cannot_be_traced_has_no_estimate(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a shape depends on data")

    monkeypatch.setattr(memory, "trace_memory", failing)
    planned = plan(load_study(study_file()))
    assert {group.memory_bytes for group in planned.cost.groups if group.alone is None} == {None}
    assert any("need is not known before they train" in warning.message for warning in planned.warnings)


def test_a_plan_knows_the_needs_of_many_arms_of_pefts(study_file: StudyFile) -> None:
    """Adapters are moved to the device of their layer: where tensors have no numbers that corrupts memory."""
    layers = {"target_modules": ["query", "value"]}
    configs: list[dict[str, Any]] = [
        {"peft_type": "IA3", "feedforward_modules": [], **layers},
        {"peft_type": "LOHA", "r": 2, **layers},
        {"peft_type": "OFT", "r": 0, "oft_block_size": 4, **layers},
        {"peft_type": "VERA", "r": 2, **layers},
        {"peft_type": "LN_TUNING", "target_modules": ["LayerNorm"]},
        {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2},
    ]
    arms = {f"own{i}": {"method": "peft", "peft": config} for i, config in enumerate(configs)}
    groups = plan(load_study(study_file(arms={"full": {}, **arms, "words": None}))).cost.groups
    needs = {key.partition("/")[0]: group.memory_bytes for group in groups for key in group.runs}
    assert [arm for arm in arms if needs[arm] is None] == []


@pytest.mark.parametrize(
    ("config", "is_known"),
    [
        ({"peft_type": "LORA", "init_lora_weights": "pissa", "r": 2, "target_modules": ["query"]}, False),
        ({"peft_type": "BOFT", "target_modules": ["query"], "boft_block_size": 4}, True),
        ({"peft_type": "LORA", "use_dora": True, "r": 2, "target_modules": ["query"]}, True),
    ],
    ids=["pissa", "boft", "dora"],
)
def test_adapters_that_have_to_see_numbers_are_planned_and_trained_too(
    study_file: StudyFile, config: dict[str, Any], is_known: bool
) -> None:
    study = load_study(study_file(arms={"own": {"method": "peft", "peft": config}, "words": None}))
    expected = plan(study).cost.parameters["own"]
    (record,) = run(study).records
    assert record.status == "done"
    assert record.parameters is not None
    assert (expected is not None) == is_known
    assert expected is None or expected == record.parameters


def test_records_hold_estimate_and_truth(study_file: StudyFile) -> None:
    study = load_study(study_file(arms={"full": {}, "words": {"method": "bag-of-words"}}))
    full, words = run(study).records
    assert full.estimate is not None
    assert full.estimate.memory_bytes is not None
    assert full.estimate.memory_bytes.low < full.estimate.memory_bytes.high
    assert full.estimate.seconds is None  # nothing was timed
    assert full.peak_memory_bytes
    assert words.estimate is not None
    assert words.estimate.memory_bytes is None
