"""Four-bit bases: adapters train beside them, evaluation harms nothing, weights are counted as they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig

from headstart.config.study import Lora
from headstart.engine.join_weights import join_weights
from headstart.engine.member import Member
from headstart.engine.train import train
from headstart.errors import ModelError
from headstart.methods.four_bits import count_matrix_weights, list_quantisable_layers, quantise_model
from headstart.methods.lora_layers import (
    collect_trained_values,
    inject_adapters,
    iter_linear_layers,
    pad_rank,
)
from headstart.methods.peft_format import convert_to_peft
from headstart.methods.qlora import QLORA
from headstart.models.accounting.counts import count_parameters
from tiny import (
    GROUPED,
    EventRecorder,
    make_tiny_config,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    max_difference,
)

bitsandbytes = pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")
_CPU = torch.device("cpu")


def _in_four_bits(family: str, seed: int = 0, r: int = 4) -> Any:
    model = make_tiny_model(family, seed=7).float()
    quantise_model(model, _CPU, torch.float32)
    inject_adapters(model, Lora(r=r, dropout=0.0), seed)
    return model


def _batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(4, 50, (4, 9), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _gradients(model: Any) -> dict[str, torch.Tensor]:
    model.zero_grad(set_to_none=True)
    model(**_batch()).logits.square().sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("family", ["bloom", "gpt2", "llama", "bert"])
@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
def test_an_evaluation_changes_no_gradient(family: str, compute: torch.dtype) -> None:
    """bitsandbytes repacks weights for inference on some processors; training must not meet them so."""
    model = make_tiny_model(family, seed=7).float()
    quantise_model(model, _CPU, compute)
    inject_adapters(model, Lora(dropout=0.0), 0)
    before = _gradients(model)
    model.eval()
    with torch.no_grad():
        model(**_batch())
    model.train()
    after = _gradients(model)
    assert max(float(value.abs().max()) for value in before.values()) > 0
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_weights_are_counted_as_they_are() -> None:
    counts = count_parameters(make_tiny_model("bloom"))
    model = make_tiny_model("bloom", seed=7).float()
    quantise_model(model, _CPU, torch.float32)
    assert sum(p.numel() for p in model.parameters()) < counts.total  # two to a byte: the naive count
    assert count_parameters(model).total == counts.total
    adapted = _in_four_bits("bloom", r=4)
    trained = 2 * 4 * (32 + 96) + 3 * 32  # two layers of query_key_value, and the head
    assert count_parameters(adapted).trainable == trained
    assert count_parameters(adapted).total == counts.total + 2 * 4 * (32 + 96)


@pytest.mark.parametrize("family", ["bloom", "gpt2", "llama", "mistral"])
def test_logits_are_those_of_transformers_own_four_bit_model(family: str, tmp_path: Path) -> None:
    """GPT-2's layers too, whose weights lie the other way: transformers turns them first."""
    pytest.importorskip("accelerate")
    config = AutoConfig.for_model(family, **GROUPED) if family == "mistral" else make_tiny_config(family)
    torch.manual_seed(0)
    ours = AutoModelForCausalLM.from_config(config).float()
    ours.save_pretrained(tmp_path)
    wanted = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, quantization_config=wanted, dtype=torch.float32, device_map="cpu"
    )
    for layer in theirs.modules():
        if isinstance(layer, bitsandbytes.nn.Linear4bit):
            layer.support_avx512bf16_for_cpu = False  # it takes only widths that 64 divides
    with torch.no_grad():
        plain = ours.eval()(**_batch()).logits
        quantise_model(ours, _CPU, torch.float32)
        expected = 2 * (4 if family in ("bloom", "gpt2") else 7)
        assert _count_quantised(ours) == _count_quantised(theirs) == expected
        assert max_difference(ours.eval()(**_batch()).logits, theirs.eval()(**_batch()).logits) < 1e-6
        assert max_difference(ours(**_batch()).logits, plain) > 1e-4


def _count_quantised(model: Any) -> int:
    return sum(isinstance(layer, bitsandbytes.nn.Linear4bit) for layer in model.modules())


@pytest.mark.parametrize("family", ["bloom", "gpt2"])
def test_logits_and_gradients_of_adapters_are_pefts(family: str) -> None:
    """PEFT's layers over bitsandbytes' with the same numbers."""
    lora = Lora(r=4, alpha=6, dropout=0.0, target="all")
    ours, base = make_tiny_model(family, seed=7).float(), make_tiny_model(family, seed=7).float()
    for model in (ours, base):
        quantise_model(model, _CPU, torch.float32)
    inject_adapters(ours, lora, 3)
    draws = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in collect_trained_values(ours).values():
            value.copy_(0.1 * torch.randn(value.shape, generator=draws))
    theirs = convert_to_peft(base, collect_trained_values(ours), lora).train()
    mine, its = _gradients(ours), _gradients(theirs)
    assert len(mine) == len(its) == 2 * 4 * 2 + 1
    assert sorted(map(float, (g.abs().max() for g in mine.values()))) == pytest.approx(
        sorted(map(float, (g.abs().max() for g in its.values()))), rel=1e-5
    )
    assert min(float(gradient.abs().max()) for gradient in mine.values()) > 0
    assert max_difference(ours(**_batch()).logits, theirs(**_batch()).logits) < 1e-5


def test_a_model_without_a_layer_to_quantise_is_refused() -> None:
    """Experts of a mixture, say, whose weights are in no linear layer."""
    model = make_tiny_model("bert")
    for path in list(iter_linear_layers(model)):
        model.set_submodule(path, nn.Identity())
    with pytest.raises(ModelError, match="no layer of a bert can be quantised to 4 bits") as caught:
        QLORA.check(make_tiny_run(), model, frozenset())
    assert "arms.arm.method" in str(caught.value)


@pytest.mark.parametrize("family", ["bloom", "gpt2", "gpt_neox", "mistral", "opt", "phi3", "qwen2", "gemma2"])
def test_the_layers_are_those_that_transformers_chooses(family: str) -> None:
    from transformers.integrations.bitsandbytes import replace_with_bnb_linear

    shape = make_tiny_config(family).to_dict() if family in ("bloom", "gpt2") else GROUPED
    config = AutoConfig.for_model(family, **{k: v for k, v in shape.items() if k != "model_type"})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        ours = set(list_quantisable_layers(model))
        theirs = replace_with_bnb_linear(
            model,
            modules_to_not_convert=["lm_head"],
            quantization_config=BitsAndBytesConfig(load_in_4bit=True),
        )
    named = theirs.named_modules()
    assert ours == {path for path, layer in named if isinstance(layer, bitsandbytes.nn.Linear4bit)} != set()


@pytest.mark.parametrize(("family", "is_said"), [("bert", False), ("gpt2", False), ("mixtral", True)])
def test_a_body_of_which_little_can_be_quantised_is_said(family: str, is_said: bool) -> None:
    """The experts of a mixture are no linear layers: transformers leaves them in silence too."""
    config = AutoConfig.for_model(family, **GROUPED) if is_said else make_tiny_config(family)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config) if is_said else make_tiny_model(family)
    checkpoint = SimpleNamespace(build_skeleton=lambda: model)
    prepared: Any = SimpleNamespace(checkpoint=checkpoint, run=SimpleNamespace(lora=Lora()))
    said = list(QLORA.list_cautions(prepared))
    assert len(said) == int(is_said)
    if is_said:
        assert "of a mixtral only" in said[0]
        assert "are linear layers" in said[0]
        assert count_matrix_weights(model) > 2 * sum(
            model.get_submodule(path).weight.numel() for path in list_quantisable_layers(model)
        )


def test_logits_are_those_of_weights_rounded_to_nf4() -> None:
    """bitsandbytes' own dequantisation, put into the plain model."""
    model, plain = make_tiny_model("llama", seed=7).float(), make_tiny_model("llama", seed=7).float()
    quantise_model(model, _CPU, torch.float32)
    rounded = 0
    for path, layer in model.named_modules():
        if isinstance(layer, bitsandbytes.nn.Linear4bit):
            weight = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            plain.get_submodule(path).weight.data = weight
            rounded += 1
    assert rounded == 2 * 7
    with torch.no_grad():
        assert max_difference(model.eval()(**_batch()).logits, plain.eval()(**_batch()).logits) < 1e-5


@pytest.mark.parametrize("family", ["bloom", "bert", "gpt2"])
def test_its_loss_falls(family: str) -> None:
    context = make_tiny_context()
    object.__setattr__(context, "precision", "fp32")
    member = Member(make_tiny_run(0, steps=150, learning_rate=3e-2), np.arange(60))
    train([member], join_weights(iter([_in_four_bits(family)]), 1), context, EventRecorder())
    assert member.error is None
    assert np.mean(member.losses[-10:]) < 0.8 * np.mean(member.losses[:10])


@pytest.mark.parametrize("family", ["bloom", "gpt2"])
def test_a_pack_shares_its_four_bit_base(family: str) -> None:
    context = make_tiny_context()
    object.__setattr__(context, "precision", "fp32")
    losses = []
    for ranks in ((2, 4), (2,), (4,)):
        models = [_in_four_bits(family, seed=r, r=r) for r in ranks]
        for model in models:
            pad_rank(model, max(ranks))
        members = [Member(make_tiny_run(r, steps=10, learning_rate=1e-2), np.arange(60)) for r in ranks]
        weights = join_weights(iter(models), len(models))
        quantised = [p for p in weights.module.parameters() if getattr(p, "quant_state", None) is not None]
        assert len(quantised) == 2 * 4
        train(members, weights, context, EventRecorder())
        losses.append([member.losses for member in members])
    together, first, second = losses
    assert together[0] == pytest.approx(first[0], abs=1e-4)
    assert together[1] == pytest.approx(second[0], abs=1e-4)
    assert together[0] != pytest.approx(together[1], abs=1e-4)
