"""A step of many families is traced without a word: its bytes as real tensors keep them, or one exception."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.config.traits import TaskName
from headstart.data.batches import Batch
from headstart.engine.trace import UNTRACEABLE, count_saved_bytes, strip_numbers, trace_memory
from headstart.models.library import silence_logs
from headstart.tasks import load_task

_SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "num_labels": 3,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
_EXPERTS = {
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
EXPERTS = ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "phimoe", "gpt_oss")
#: Their code takes as many rows as numbers say, or refuses numbers that are not there.
UNKNOWN = ("jetmoe", "ibert", "bart", "longformer")
CAUSAL = (*EXPERTS, "llama", "gemma2", "gpt2", "bloom", "gpt_neox", "mamba", "falcon_mamba", "rwkv", "jetmoe")
BOTH = ("mixtral", "qwen2_moe", "gpt_oss", "llama", "gpt2", "bert", "roberta", "deberta-v2", "modernbert")
CASES: list[tuple[str, TaskName]] = [
    *((family, "instruction") for family in CAUSAL),
    *((family, "classification") for family in (*BOTH, "jetmoe", "ibert", "bart", "longformer")),
]


def _make(family: str, task: TaskName, device: str = "meta") -> Any:
    shape = _SHAPE | (_EXPERTS if family in EXPERTS else {})
    if family == "longformer":
        shape = {**shape, "attention_window": 4, "sep_token_id": 3}
    config = AutoConfig.for_model(family, **shape)
    auto = AutoModelForCausalLM if task == "instruction" else AutoModelForSequenceClassification
    with silence_logs(), torch.device(device):
        return auto.from_config(config)


def _batch(task: TaskName) -> Batch:
    ids = np.random.default_rng(0).integers(4, 60, (3, 12))
    mask = np.ones_like(ids)
    mask[1, 8:] = 0
    labels = np.full_like(ids, -100)
    labels[:, 4:8] = 5
    return Batch(ids, mask, None, np.array([0, 1, 2]), labels if task == "instruction" else None)


def _trace(family: str, task: TaskName) -> int:
    model: torch.nn.Module = _make(family, task)

    def strip() -> torch.nn.Module:
        strip_numbers(model)
        return model

    return trace_memory(strip, _batch(task), _batch(task), load_task(task), "fp32").step


@pytest.mark.parametrize(("family", "task"), CASES)
def test_nothing_is_printed_whether_it_is_known_or_not(
    family: str, task: TaskName, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()  # as torch has one for itself where it is asked for
    logging.getLogger("torch").addHandler(handler)
    try:
        if family in UNKNOWN:
            with pytest.raises(UNTRACEABLE):
                _trace(family, task)
        else:
            assert _trace(family, task) > 0
    finally:
        logging.getLogger("torch").removeHandler(handler)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe", "olmoe"])
def test_experts_keep_as_much_as_real_ones(family: str) -> None:
    task: TaskName = "instruction"
    real = _make(family, task, "cpu").train()
    real.get_input_embeddings().weight.requires_grad_(False)
    kept = count_saved_bytes(real, _batch(task), load_task(task), "fp32")
    assert _trace(family, task) == pytest.approx(kept, rel=0.05)


def test_ties_and_what_trains_are_kept() -> None:
    model = _make("gpt2", "instruction")
    model.transformer.wte.weight.requires_grad_(False)
    strip_numbers(model)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert not model.lm_head.weight.requires_grad
    assert model.transformer.wpe.weight.requires_grad
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert sum(p.numel() for p in model.parameters()) == sum(
        p.numel() for p in _make("gpt2", "instruction").parameters()
    )
