"""Adapters equal PEFT's own: logits, gradients and weights after 20 steps, alone and in packs, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from headstart.config.study import Lora
from headstart.engine.dropout import DropoutKey, HostDropout
from headstart.engine.evaluate import iter_logits
from headstart.engine.join_weights import join_weights
from headstart.engine.member import Member
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.stackable_layers import find_stacking_obstacle
from headstart.engine.train import train
from headstart.engine.weights import Weights
from headstart.errors import StackError
from headstart.methods.lora_layers import (
    collect_trained_values,
    find_target_layers,
    inject_adapters,
    pad_rank,
)
from headstart.methods.peft_format import _get_peft_name, convert_to_peft, make_lora_config, merge_adapter
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run, max_difference

peft = pytest.importorskip("peft")

#: Family, and the targets that PEFT's table gives it; None where the table does not know it.
CHOSEN = {
    "bert": ["query", "value"],
    "roberta": ["query", "value"],
    "bloom": ["query_key_value"],
    "llama": ["q_proj", "v_proj"],
    "gpt2": ["c_attn"],
    "distilbert": None,
    "modernbert": None,
}
#: What else some families have outside their body.
_HEADS = ("pre_classifier", "head")


def _adapted(family: str, lora: Lora, seed: int, *, rank: int = 0) -> Any:
    """A tiny model of the family with adapters; one base for all seeds, B not zero, a head of its own."""
    model = make_tiny_model(family, seed=7, dropout=0.1)
    inject_adapters(model, lora, seed)
    model.double()
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.copy_(torch.randn(value.shape, generator=draws, dtype=value.dtype) * 0.1)
    if rank:
        pad_rank(model, rank)
    return model


def _ours(family: str, lora: Lora, seed: int) -> tuple[Any, Any]:
    """Our adapted model, and PEFT's with the same numbers."""
    ours = _adapted(family, lora, seed)
    theirs = convert_to_peft(make_tiny_model(family, seed=7, dropout=0.1), collect_trained_values(ours), lora)
    return ours, theirs.train()


def _batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(4, 50, (6, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    ids[1, 5:] = 1
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("family", CHOSEN)
def test_targets_are_pefts_choice(family: str) -> None:
    model = make_tiny_model(family)
    named = {path.rpartition(".")[2] for path in find_target_layers(model, Lora())}
    table = peft.utils.constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    assert table.get(model.config.model_type) == CHOSEN[family]
    if CHOSEN[family] is not None:
        assert named == set(CHOSEN[family] or ())
    assert named


@pytest.mark.parametrize("family", CHOSEN)
@pytest.mark.parametrize("lora", [Lora(r=3, alpha=5), Lora(r=4, rslora=True, bias="lora_only", target="all")])
def test_logits_and_gradients_are_pefts(family: str, lora: Lora) -> None:
    ours, theirs = _ours(family, lora, 3)
    logits = []
    for model in (ours, theirs):
        with HostDropout([DropoutKey(3, 0, 6, 9)], 6, 9):
            out = model(**_batch()).logits
        out.square().sum().backward()
        logits.append(out)
    assert max_difference(*logits) < 1e-9
    assert float(logits[0].detach().abs().max()) > 1e-3
    our_parameters, their_parameters = (
        {n: p for n, p in m.named_parameters() if p.requires_grad} for m in (ours, theirs)
    )
    assert len(our_parameters) == len(their_parameters)
    for name, value in our_parameters.items():
        assert (
            max_difference(
                value.grad, their_parameters[_get_peft_name(name, ["classifier", "score", *_HEADS])].grad
            )
            < 1e-9
        ), name
    assert max(float(value.grad.abs().max()) for value in our_parameters.values()) > 1e-3


def _trained(models: Sequence[Any], runs: Sequence[Any]) -> tuple[list[Member], Weights]:
    context = make_tiny_context()
    index = np.arange(len(context.parts["train"].tokens))
    members = [Member(run, index) for run in runs]
    weights = join_weights(iter(models), len(models))
    train(members, weights, context, EventRecorder())
    return members, weights


@pytest.mark.parametrize("family", CHOSEN)
def test_twenty_steps_are_those_of_pefts_own_model(family: str) -> None:
    """PEFT's module trained by the engine that is tested against the Hugging Face Trainer."""
    lora, run = Lora(r=3, alpha=5, dropout=0.1), make_tiny_run(3, steps=20, weight_decay=0.1)
    ours, theirs = _ours(family, lora, 3)
    (member,), mine = _trained([ours], [run])
    (other,), its = _trained([theirs], [run])
    assert member.losses == pytest.approx(other.losses, abs=1e-9)
    assert member.losses[0] != member.losses[-1]
    assert member.weights is not None
    assert other.weights is not None
    named, theirs_named = (
        mine.layout.view_parameters(member.weights),
        its.layout.view_parameters(other.weights),
    )
    assert len(named) == len(theirs_named)
    for name, value in named.items():
        assert (
            max_difference(value, theirs_named[_get_peft_name(name, ["classifier", "score", *_HEADS])]) < 1e-9
        ), name


RANKS = (Lora(r=2, alpha=3), Lora(r=5, alpha=20), Lora(r=3, rslora=True))


@pytest.mark.parametrize("family", [*CHOSEN, "mpnet", "albert"])
def test_members_of_a_pack_share_a_base_and_are_the_runs_they_are_alone(family: str) -> None:
    """With ranks, scales, rates and seeds of their own."""
    runs = [
        make_tiny_run(0, steps=20),
        make_tiny_run(1, steps=12, learning_rate=3e-3, clip=0.1),
        make_tiny_run(2, steps=20, weight_decay=0.3),
    ]
    widest = max(lora.r for lora in RANKS)
    together = [_adapted(family, lora, r, rank=widest) for r, lora in enumerate(RANKS)]
    members, weights = _trained(together, runs)
    for r, (lora, run) in enumerate(zip(RANKS, runs, strict=True)):
        (alone,), alone_weights = _trained([_adapted(family, lora, r)], [run])
        assert members[r].losses == pytest.approx(alone.losses, abs=1e-9)
        row = members[r].weights
        assert row is not None
        assert alone.weights is not None
        packed = weights.layout.view_parameters(row)
        for name, value in alone_weights.layout.view_parameters(alone.weights).items():
            part = packed[name][tuple(map(slice, value.shape))]
            assert max_difference(part, value) < 1e-9, name
            assert float(packed[name].abs().sum() - part.abs().sum()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("family", ["deberta-v2", "deberta-v2, keys of its own"])
def test_what_must_be_alone_says_so(family: str) -> None:
    lora = Lora(r=2)
    reason = find_stacking_obstacle(_adapted(family, lora, 0))
    assert reason is not None
    assert "relative positions" in reason
    with pytest.raises(StackError, match="relative positions"):
        join_weights((_adapted(family, lora, r) for r in range(2)), 2)
    (alone,), _ = _trained([_adapted(family, lora, 0)], [make_tiny_run(0, steps=3)])
    assert len(alone.losses) == 3


def test_the_base_is_held_once() -> None:
    lora = Lora(r=2)
    weights = join_weights((_adapted("bert", lora, r) for r in range(4)), 4)
    base = sum(p.numel() for p in make_tiny_model("bert").bert.parameters())
    stacked = sum(p.numel() for p in weights.module.parameters())
    trained = sum(p.numel() for p in weights.module.parameters() if p.requires_grad)
    assert stacked == base + trained
    assert not any(p.requires_grad for n, p in weights.module.named_parameters() if "base" in n)


def test_merged_equals_unmerged() -> None:
    for family in CHOSEN:
        lora = Lora(r=3, alpha=5)
        ours, theirs = _ours(family, lora, 3)
        context = make_tiny_context()
        tokens = context.parts["test"].tokens
        how: dict[str, Any] = {"pad_id": 1, "device": context.device, "precision": "fp64"}
        logits = [next(iter(iter_logits(m, tokens, **how)))[1] for m in (ours, theirs, merge_adapter(theirs))]
        assert max_difference(logits[0], logits[1]) < 1e-9
        assert max_difference(logits[0], logits[2]) < 1e-9


def test_the_configuration_says_what_people_write() -> None:
    written = make_lora_config(make_tiny_model("bert"), Lora(r=4, alpha=6, target=("query", "value")))
    assert sorted(written.target_modules) == ["query", "value"]
    assert written.modules_to_save == ["classifier"]
    assert (written.r, written.lora_alpha, written.lora_dropout, written.bias) == (4, 6, 0.05, "none")
    # "dense" alone would name the pooler's too.
    dense = make_lora_config(make_tiny_model("bert"), Lora(target=("dense",)))
    assert all("." in name for name in dense.target_modules)
    assert not any("pooler" in name for name in dense.target_modules)


def test_what_trains_decays_as_the_trainer_decides() -> None:
    model = _adapted("bert", Lora(bias="all"), 0)
    names = find_decaying_parameters(model)
    assert any(name.endswith("lora_A.weight") for name in names)
    assert not any(name.endswith("bias") for name in names)
