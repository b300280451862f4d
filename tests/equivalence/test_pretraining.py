"""A pretraining's steps against transformers' own losses and torch's own loop, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from transformers import get_linear_schedule_with_warmup

from headstart.config.pretraining import PretrainingSettings
from headstart.engine.kind import force_device_engine
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.pretraining.batches import BlockReader, StepBatch
from headstart.pretraining.language_model import IGNORED, LanguageModel, sum_losses
from headstart.pretraining.optimiser import list_matrices
from headstart.pretraining.run import pretrain_model
from tiny_pretraining import (
    TOKENIZER,
    VOCABULARY,
    make_blocks,
    make_bloom,
    make_roberta,
    make_settings,
)

BLOCKS = make_blocks()


def make_model(task: str) -> Any:
    return (make_roberta() if task == "masked-lm" else make_bloom()).double()


def train(settings: PretrainingSettings, model: Any, folder: Path) -> Any:
    pretrain_model(
        settings, model=model, tokenizer=TOKENIZER, blocks=BLOCKS, valid=make_blocks(4, 1), folder=folder
    )
    return model


def compute_full_loss(model: Any, batch: StepBatch, task: str) -> torch.Tensor:
    """The mean loss as transformers computes it, from logits of all tokens."""
    (one,) = batch.passes
    ids = torch.from_numpy(one.input_ids)
    if task == "causal-lm":
        logits = model(input_ids=ids).logits[:, :-1]  # the library's own loss is of float32 logits
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    labels = torch.full((ids.numel(),), IGNORED)
    assert one.places is not None
    kept = one.labels != IGNORED
    labels[torch.from_numpy(one.places[kept])] = torch.from_numpy(one.labels[kept])
    loss: torch.Tensor = model(input_ids=ids, labels=labels.view_as(ids)).loss
    return loss


@pytest.mark.parametrize("task", ["masked-lm", "causal-lm"])
def test_the_head_on_chosen_places_gives_the_loss_and_gradients_of_the_full_head(task: str) -> None:
    model, peer = make_model(task), make_model(task)
    batch = BlockReader(make_settings(task), TOKENIZER, VOCABULARY).draw_step(BLOCKS, 0, 99)
    (one,) = batch.passes
    places = None if one.places is None else torch.from_numpy(one.places)
    logits = LanguageModel(model)(torch.from_numpy(one.input_ids), places)
    loss = sum_losses(logits, torch.from_numpy(one.labels)) / batch.targets
    expected = compute_full_loss(peer, batch, task)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.autograd.backward(loss)
    torch.autograd.backward(expected)
    for ours, theirs in zip(model.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def make_peer(model: Any, optimiser: str) -> list[torch.optim.Optimizer]:
    decaying, matrices = find_decaying_parameters(model), list_matrices(model)
    by_muon = [p for name, p in model.named_parameters() if optimiser == "muon" and name in matrices]
    rest = [(n, p) for n, p in model.named_parameters() if not any(p is one for one in by_muon)]
    groups = [
        {"params": [p for n, p in rest if n in decaying], "weight_decay": 0.01},
        {"params": [p for n, p in rest if n not in decaying], "weight_decay": 0.0},
    ]
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), eps=1e-6)]
    if by_muon:
        muon = torch.optim.Muon(by_muon, lr=1e-2, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        made.append(muon)
    return made


@pytest.mark.parametrize("engine", ["host", "device"])
@pytest.mark.parametrize(
    ("task", "optimiser"), [("masked-lm", "adamw"), ("causal-lm", "adamw"), ("masked-lm", "muon")]
)
def test_steps_are_those_of_a_plain_loop(task: str, optimiser: str, engine: str, tmp_path: Path) -> None:
    settings = make_settings(task, optimiser=optimiser, warmup=1, steps=4)
    peer = make_model(task)
    optimisers = make_peer(peer, optimiser)
    schedules = [get_linear_schedule_with_warmup(one, 1, 4) for one in optimisers]
    reader = BlockReader(settings, TOKENIZER, VOCABULARY)
    for step in range(4):
        torch.autograd.backward(compute_full_loss(peer, reader.draw_step(BLOCKS, step, 99), task))
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        for one, schedule in zip(optimisers, schedules, strict=True):
            one.step()
            schedule.step()
            one.zero_grad()
    if engine == "device":
        with force_device_engine():
            model = train(settings, make_model(task), tmp_path)
    else:
        model = train(settings, make_model(task), tmp_path)
    # Muon orthogonalises in bf16, in which the last digit of the gradient may round otherwise.
    tolerance = 1e-9 if optimiser == "adamw" else 2e-4
    for ours, theirs in zip(model.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=tolerance, atol=tolerance)


def test_accumulation_equals_the_large_batch(tmp_path: Path) -> None:
    large = train(make_settings(batch_size=8), make_model("masked-lm"), tmp_path / "large")
    small = train(make_settings(batch_size=2, accumulation=4), make_model("masked-lm"), tmp_path / "small")
    for one, other in zip(large.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
