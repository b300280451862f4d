"""Layers with adapters are called by a family's code; a tied table is not narrowed; idle biases are said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from headstart.config.study import Lora
from headstart.errors import ModelError
from headstart.methods.lora_layers import (
    cast_base_to_bf16,
    collect_trained_values,
    find_target_layers,
    inject_adapters,
)
from headstart.methods.lora_targets import check_targets, find_idle_bias
from headstart.methods.peft_format import convert_to_peft
from headstart.models.library import silence_logs
from tiny import make_tiny_config, max_difference

pytest.importorskip("peft")

_SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}


def _make(family: str, device: str = "meta") -> Any:
    with silence_logs(), torch.device(device):
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **_SHAPE))


@pytest.mark.parametrize("family", ["mamba", "falcon_mamba"])
@pytest.mark.parametrize("target", ["all", "mlp", ("dt_proj",), ("out_proj",)])
def test_layers_whose_weights_are_read_past_adapters_are_refused(family: str, target: Any) -> None:
    with pytest.raises(ModelError, match=rf"a {family} reads the weights of .*\n.* some of in_proj, x_proj$"):
        check_targets(_make(family), Lora(r=2, target=target), ())


def test_a_family_that_reads_every_weight_is_refused() -> None:
    with pytest.raises(ModelError, match=r"a rwkv does not take layers with adapters: .*\n.*method: full"):
        check_targets(_make("rwkv"), Lora(r=2), ())


@pytest.mark.parametrize("family", ["mamba", "mixtral", "qwen2_moe", "llama", "gpt2", "opt", "gpt_neox"])
def test_defaults_are_taken(family: str) -> None:
    check_targets(_make(family), Lora(r=2), ())


@pytest.mark.parametrize("target", [None, ("in_proj", "x_proj")])
def test_mambas_adapters_are_pefts(target: Any) -> None:
    lora = Lora(r=2, target=target, dropout=0)
    torch.manual_seed(0)
    ours = _make("mamba", "cpu")
    torch.manual_seed(0)
    base = _make("mamba", "cpu").double()
    inject_adapters(ours, lora, 0)
    ours = ours.double().eval()
    with torch.no_grad():
        for value in collect_trained_values(ours).values():
            value.normal_(0, 0.3)
    theirs = convert_to_peft(base, collect_trained_values(ours), lora).double().eval()
    ids = torch.randint(4, 60, (2, 7), generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), silence_logs():
        plain, expected = base.get_input_embeddings(), theirs(input_ids=ids, use_cache=False).logits
        assert plain is not None
        assert max_difference(ours(input_ids=ids, use_cache=False).logits, expected) < 1e-10


def test_a_table_that_is_also_the_head_stays_as_wide_as_it_was() -> None:
    """In 16 bits an adapted model's logits are those of autocast, which rounds no embedding."""
    torch.manual_seed(0)
    config = make_tiny_config("gpt2", 0.0, initializer_range=0.3)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    inject_adapters(model, Lora(r=2, dropout=0), 0)
    ids = torch.randint(4, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    logits = []
    for cast in (lambda _: None, cast_base_to_bf16):
        cast(model)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logits.append(model(input_ids=ids).logits)
    assert model.transformer.wte.weight.dtype == torch.float32
    assert model.lm_head.weight is model.transformer.wte.weight
    assert model.transformer.h[0].mlp.c_fc.weight.dtype == torch.bfloat16
    assert torch.equal(*logits)


@pytest.mark.parametrize(
    ("family", "bias", "said"),
    [
        ("llama", "all", "lora.bias: all has no effect: a llama has no biases"),
        ("llama", "lora_only", "lora.bias: lora_only has no effect: a llama has no biases in these layers"),
        ("llama", "none", None),
        ("gpt2", "all", None),
        ("gpt2", "lora_only", None),
    ],
)
def test_a_bias_that_trains_nothing_is_said(family: str, bias: Any, said: str | None) -> None:
    model, lora = _make(family), Lora(r=2, bias=bias)
    assert find_target_layers(model, lora)
    assert find_idle_bias(model, lora) == said
