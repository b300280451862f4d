"""Parts of adapted models: PEFT's own models are the oracle of what is there and what trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

import headstart
from headstart.analysis.details.adapter_parts import read_shapes, write_adapter_formula
from headstart.analysis.details.model_parts import ModelParts, find_model_parts
from headstart.store.layout import StudyLayout
from report_studies import write_report_study

SYMBOLS = {"D": 8, "F": 32, "R": 2}
LORA: dict[str, Any] = {"arms": {"lora": {"method": "lora"}, "random": {"method": "lora", "init": "random"}}}


def find_parts(
    tmp_path: Path, folder: Path, total: int, trainable: int, **keys: Any
) -> tuple[ModelParts, ...]:
    """Of a study whose first arm's model lies in `folder`, and the other's nowhere."""
    out = write_report_study(tmp_path / "study", seeds=1, n_parameters=total, n_trainable=trainable, **keys)
    findings = headstart.load(out).findings
    arms = {"lora": folder, "probe": folder}
    return find_model_parts(findings, lambda arm: arms.get(arm, tmp_path / "none"))


@pytest.mark.parametrize(
    ("kind", "task", "settings"),
    [
        ("tiny_model", "SEQ_CLS", {"target_modules": ["query", "value"]}),
        ("tiny_model", "SEQ_CLS", {"target_modules": ["query", "dense"], "bias": "lora_only"}),
        ("tiny_model", "SEQ_CLS", {"target_modules": ["encoder.layer.0.output.dense"], "bias": "all"}),
        ("tiny_roberta", "SEQ_CLS", {"target_modules": ["key", "intermediate.dense"]}),
        ("tiny_bloom", "CAUSAL_LM", {"target_modules": ["query_key_value", "dense_h_to_4h"]}),
    ],
)
def test_lora_is_counted_as_peft_has_it(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, task: str, settings: dict[str, Any]
) -> None:
    make = AutoModelForCausalLM if task == "CAUSAL_LM" else AutoModelForSequenceClassification
    base = make.from_pretrained(request.getfixturevalue(kind))
    base.config.save_pretrained(tmp_path)
    model = peft.get_peft_model(base, peft.LoraConfig(task_type=task, r=3, **settings))
    model.save_pretrained(tmp_path)
    # PEFT keeps the head before training beside it.
    own = {name: p for name, p in model.named_parameters() if ".original_module." not in name}
    total, trainable = (
        sum(p.numel() for p in own.values() if p.requires_grad or all_) for all_ in (True, False)
    )
    (found,) = find_parts(tmp_path, tmp_path, total, trainable, **LORA)
    assert found.arms == ("lora", "random")  # the merged one has the same settings and the same numbers
    assert (found.breakdown.total, found.trainable) == (total, trainable)
    adapters = [part for part in found.breakdown.parts if part.part.endswith(" adapter")]
    weights = sum(p.numel() for name, p in model.named_parameters() if ".lora_" in name)
    assert sum(part.value for part in adapters) == weights
    assert all("R" in part.formula for part in adapters)
    assert found.breakdown.symbols["R"] == 3


def test_other_adapters_and_other_numbers_have_no_parts(tmp_path: Path, tiny_model: Path) -> None:
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    base.config.save_pretrained(tmp_path)
    model = peft.get_peft_model(base, peft.IA3Config(task_type="SEQ_CLS"))
    model.save_pretrained(tmp_path)
    trainable, total = model.get_nb_trainable_parameters()
    assert find_parts(tmp_path, tmp_path, total, trainable, **LORA) == ()
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    assert read_shapes(tmp_path / "adapter_model.safetensors") == {}
    assert find_model_parts(headstart.load(tmp_path / "study" / "out").findings, lambda arm: tmp_path) == ()


def test_a_probe_trains_its_linear_layer_alone(tmp_path: Path, tiny_model: Path) -> None:
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    base.config.save_pretrained(tmp_path)
    width = base.config.hidden_size
    tensors = {"classifier.weight": torch.zeros(2, width), "classifier.bias": torch.zeros(2)}
    save_file({**tensors, "shift": torch.zeros(width)}, tmp_path / "probe.safetensors")
    trainable = 2 * (width + 1)
    total = base.base_model.num_parameters() + trainable
    (found,) = find_parts(tmp_path, tmp_path, total, trainable, arms={"probe": {"method": "probe"}})
    assert (found.breakdown.total, found.trainable) == (total, trainable)
    assert [part.formula for part in found.breakdown.parts][-2:] == ["D·C", "C"]


@pytest.mark.parametrize(
    ("weight", "sizes", "formula"),
    [
        ("D²", (8, 8), "2·R·D"),
        ("D·F", (8, 32), "R·D + R·F"),
        ("D·F", (32, 8), "R·D + R·F"),
        ("3·D²", (8, 24), "4·R·D"),
        ("2·D·F", (8, 64), "R·D + 2·R·F"),
        ("D·F + D²", (8, 40), "48·R"),
    ],
)
def test_formulas_are_rank_times_both_widths(weight: str, sizes: tuple[int, int], formula: str) -> None:
    assert write_adapter_formula(weight, sizes, SYMBOLS) == formula


def test_parts_of_a_study_that_was_run(tmp_path: Path, study_in: Callable[..., Path]) -> None:
    arms = {
        "lora": {"method": "lora", "lora": {"r": 2, "target": "all"}},
        "control": {"method": "lora", "lora": {"r": 2, "target": "all"}, "init": "random"},
        "probe": {"method": "probe"},
        "full": {},
    }
    results = headstart.run(
        headstart.load_study(study_in(tmp_path, arms=arms, control="control", confounded=True))
    )
    layout = StudyLayout(results.out)
    found = find_model_parts(results.findings, layout.get_arm_model_folder)
    assert [parts.arms for parts in found] == [("lora", "control"), ("probe",), ("full",)]
    counted = {record.arm: record.parameters for record in results.findings.records}
    for parts in found:
        one = counted[parts.arms[0]]
        assert one is not None
        assert (parts.breakdown.total, parts.trainable) == (one.total, one.trainable)
