"""Four-bit bases: adapters train beside them, evaluation harms nothing, weights are counted as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from headstart.config.study import Lora
from headstart.engine.member import Member
from headstart.engine.train import train
from headstart.engine.weights import join_weights
from headstart.methods.four_bits import quantise_model
from headstart.methods.lora_layers import inject_adapters, pad_rank
from headstart.models.accounting.counts import count_parameters
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run, max_difference

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


@pytest.mark.parametrize("family", ["bloom", "llama", "bert"])
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


@pytest.mark.parametrize("family", ["bloom", "bert"])
def test_its_loss_falls(family: str) -> None:
    context = make_tiny_context()
    object.__setattr__(context, "precision", "fp32")
    member = Member(make_tiny_run(0, steps=150, learning_rate=3e-2), np.arange(60))
    train([member], join_weights(iter([_in_four_bits(family)]), 1), context, EventRecorder())
    assert member.error is None
    assert np.mean(member.losses[-10:]) < 0.8 * np.mean(member.losses[:10])


def test_a_pack_shares_its_four_bit_base() -> None:
    context = make_tiny_context()
    object.__setattr__(context, "precision", "fp32")
    losses = []
    for ranks in ((2, 4), (2,), (4,)):
        models = [_in_four_bits("bloom", seed=r, r=r) for r in ranks]
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
