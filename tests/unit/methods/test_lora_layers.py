"""The scale of adapters: what rank 16 had, the same for `rslora`, and updates of like size at every rank."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from headstart.config.study import Lora
from headstart.errors import ModelError
from headstart.methods.lora_layers import inject_adapters, list_adapters

peft = pytest.importorskip("peft")


@pytest.mark.parametrize(("r", "alpha"), [(1, 8), (4, 16), (8, 23), (16, 32), (64, 64)])
def test_alpha_goes_with_the_root_of_the_rank(r: int, alpha: int) -> None:
    assert Lora(r=r).alpha_in_force == alpha
    assert Lora(r=r).scale == alpha / r
    assert Lora(r=r, rslora=True).scale == 8 / math.sqrt(r)
    assert Lora(r=r).scale == pytest.approx(8 / math.sqrt(r), rel=0.03)


def test_an_alpha_that_is_named_is_divided_as_the_papers_do() -> None:
    assert Lora(r=4, alpha=6).scale == 1.5
    assert Lora(r=4, alpha=6, rslora=True).scale == 3.0


def _measure_update(lora: Lora) -> float:
    """The mean norm of scale B A after 20 steps of a random BLOOM on random tokens."""
    torch.manual_seed(0)
    shape = {"vocab_size": 100, "hidden_size": 64, "n_layer": 1, "n_head": 2}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("bloom", **shape)).train()
    inject_adapters(model, lora, 0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0)
    tokens = torch.randint(0, 100, (8, 16), generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        optimiser.zero_grad()
        model(tokens, labels=tokens).loss.backward()
        optimiser.step()
    layers = list_adapters(model).values()
    updates = [lora.scale * (layer.lora_B.weight @ layer.lora_A.weight).norm() for layer in layers]
    return float(torch.stack(updates).mean().detach())


def _measure_growth(low: Lora, high: Lora) -> float:
    without = {"dropout": 0.0}
    return _measure_update(high.model_copy(update=without)) / _measure_update(low.model_copy(update=without))


def test_the_update_grows_little_with_the_rank_where_no_alpha_is_named() -> None:
    assert 0.8 < _measure_growth(Lora(r=4), Lora(r=64)) < 1.3
    assert 0.8 < _measure_growth(Lora(r=4, rslora=True), Lora(r=64, rslora=True)) < 1.3


def test_other_rules_confound_rank_with_size() -> None:
    assert _measure_growth(Lora(r=4, alpha=8), Lora(r=64, alpha=128)) > 3  # alpha = 2 r
    assert _measure_growth(Lora(r=4, alpha=32), Lora(r=64, alpha=32)) < 0.4  # alpha fixed


def test_a_rank_beyond_any_side_of_its_layers_is_refused_before_memory_is_taken() -> None:
    shape = {"vocab_size": 100, "hidden_size": 32, "n_layer": 1, "n_head": 2}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("bloom", **shape))
    with pytest.raises(ModelError, match="rank 1,000,000,000 is larger than any dimension") as caught:
        inject_adapters(model, Lora(r=10**9), 0)
    assert caught.value.expected is not None
    assert "a rank beyond 32 adds nothing" in caught.value.expected
