"""Activations computed again give the steps that kept ones give: dropout on, alone, in packs, adapted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from headstart.config.study import Lora
from headstart.engine.dropout import KeyedDropout
from headstart.engine.join_weights import join_weights
from headstart.engine.member import Member
from headstart.engine.memory import enable_gradient_checkpointing
from headstart.engine.stacked_model import Stack
from headstart.engine.train import train
from headstart.methods.lora_layers import inject_adapters
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run, max_difference

FAMILIES = ("bert", "roberta", "distilbert", "modernbert", "llama", "gpt2", "bloom", "deberta-v2")


def _trained(
    family: str, seeds: list[int], *, again: bool, lora: Lora | None = None
) -> tuple[list[Member], int]:
    """The members, and how often a forward pass was begun again."""
    repeated = 0
    real = KeyedDropout.replay

    def counting(self: KeyedDropout) -> KeyedDropout:
        nonlocal repeated
        repeated += 1
        return real(self)

    def model(seed: int) -> Any:
        built = make_tiny_model(family, seed=7 if lora else seed, dropout=0.2)
        if lora:
            inject_adapters(built, lora, seed)
        return built.double()

    members = [Member(make_tiny_run(seed, steps=8), np.arange(60 - 9 * seed)) for seed in seeds]
    weights = join_weights(map(model, seeds), len(seeds))
    if again:
        module: Any = weights.module
        assert enable_gradient_checkpointing(module.model if isinstance(module, Stack) else module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeyedDropout, "replay", counting)
        train(members, weights, make_tiny_context(), EventRecorder())
    return members, repeated


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_steps_are_those_of_kept_activations(family: str, seeds: list[int]) -> None:
    kept, none = _trained(family, seeds, again=False)
    repeated, count = _trained(family, seeds, again=True)
    assert none == 0
    assert count >= 2 * 8  # two blocks, eight steps
    for expected, actual in zip(kept, repeated, strict=True):
        assert expected.losses == pytest.approx(actual.losses, abs=1e-12)
        assert max_difference(expected.weights, actual.weights) < 1e-12


@pytest.mark.parametrize("family", ["bert", "bloom", "llama"])
def test_adapters_train_on_a_frozen_base(family: str) -> None:
    """Nothing before the first adapter has a gradient, which the older kind of checkpointing needs."""
    lora = Lora(r=2, dropout=0.1)
    kept, _ = _trained(family, [0, 1], again=False, lora=lora)
    repeated, count = _trained(family, [0, 1], again=True, lora=lora)
    assert count > 0
    for expected, actual in zip(kept, repeated, strict=True):
        assert max_difference(expected.weights, actual.weights) < 1e-12
        assert expected.losses[0] != expected.losses[-1]


def test_less_is_kept() -> None:
    """Fewer numbers are saved for the backward pass."""

    def saved(again: bool) -> int:
        model, count = make_tiny_model("bert", dropout=0.1), 0
        if again:
            enable_gradient_checkpointing(model)

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += tensor.numel()
            return tensor

        ids = torch.randint(4, 50, (6, 30), generator=torch.Generator().manual_seed(0))
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
        return count

    assert saved(True) < 0.5 * saved(False)


def test_a_model_that_cannot_says_so() -> None:
    assert not enable_gradient_checkpointing(torch.nn.Linear(2, 2))
