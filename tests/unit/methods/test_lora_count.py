"""What adapters add, by formula and walk, against PEFT's own models."""

from __future__ import annotations

from functools import partial
from typing import Any

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from headstart.config.study import Lora
from headstart.errors import ModelError
from headstart.methods.lora_count import BIASES, RANKS, ROLES, count_lora
from headstart.methods.peft_format import make_lora_config
from headstart.models.accounting.sizes import LoraCount
from tiny import make_tiny_config

FAMILIES = ("bert", "roberta", "distilbert", "modernbert", "gpt2", "bloom", "llama")


def build_model(family: str, library: Any = AutoModelForSequenceClassification, **more: Any) -> Any:
    with torch.device("meta"):
        return library.from_config(make_tiny_config(family, **more))


@pytest.mark.parametrize("bias", ["none", "lora_only", "all"])
@pytest.mark.parametrize("target", [None, "attention", "all"])
@pytest.mark.parametrize("family", FAMILIES)
def test_peft_trains_as_many(family: str, target: Any, bias: Any) -> None:
    lora = Lora(r=3, target=target, bias=bias)
    counted = count_lora(partial(build_model, family), lora)
    base = AutoModelForSequenceClassification.from_config(make_tiny_config(family))
    theirs, _ = peft.get_peft_model(base, make_lora_config(base, lora)).get_nb_trainable_parameters()
    assert counted.trainable == theirs


@pytest.mark.parametrize("family", ["bloom", "gpt2", "llama"])
def test_a_causal_models_head_stays_frozen(family: str) -> None:
    counted = count_lora(partial(build_model, family, AutoModelForCausalLM), Lora(r=2))
    assert counted.head == 0
    assert counted.trainable == counted.adapters


def test_bloom_560m_comes_out_as_by_hand() -> None:
    shape = {"vocab_size": 250_880, "hidden_size": 1024, "n_layer": 24, "n_head": 16}
    lora = Lora(r=16, target=("query_key_value",))
    counted = count_lora(partial(build_model, "bloom", AutoModelForCausalLM, **shape), lora)
    assert counted.trainable == 1_572_864
    assert counted.as_sum == "24 x 16 x (1,024 + 3,072)"
    assert len(counted.layers) == 24


def count_settings(**settings: Any) -> LoraCount:
    return count_lora(partial(build_model, "bert"), Lora.model_validate({"r": 4} | settings))


def test_other_settings_cost_what_they_give_when_asked_for() -> None:
    counted = count_settings()
    useful = [rank for rank in RANKS if rank <= 32]  # as wide as the model's layers
    assert [counted.by_rank[rank] for rank in useful] == [count_settings(r=rank).adapters for rank in useful]
    assert {role: target.weights for role, target in counted.by_target.items()} == {
        role: count_settings(target=role).adapters for role in ROLES
    }
    assert {role: target.layers for role, target in counted.by_target.items()} == {
        role: len(count_settings(target=role).layers) for role in ROLES
    }
    assert counted.by_bias == {bias: count_settings(bias=bias).biases for bias in BIASES}


def test_a_pooler_that_the_checkpoint_lacks_trains_whole() -> None:
    kept = count_lora(partial(build_model, "bert"), Lora(r=4))
    lacked = count_lora(partial(build_model, "bert"), Lora(r=4), has_pooler=False)
    assert lacked.head - kept.head == 32 * 32 + 32


def test_a_target_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="no linear layer of a bert is called 'nix'"):
        count_lora(partial(build_model, "bert"), Lora(target=("nix",)))
