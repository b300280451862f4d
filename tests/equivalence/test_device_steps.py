"""Steps of the device's engine against torch's own loop over one plain model: dropout on, in float64.

The body is the one that a GPU captures; here it runs on the CPU, and whatever would make a host wait raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from transformers.models.bloom import modeling_bloom

from captured import CountingCapture, make_device_weights, train_on_device
from headstart.config.runs import Run
from headstart.data.batches import collate
from headstart.engine.capture_hints import pretend_capture
from headstart.engine.dropout import DeviceDropout
from headstart.engine.dropout.philox import derive_keys
from headstart.engine.member import Member, iter_step_batches
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.schedule import learning_rate
from headstart.engine.step import build_inputs
from tiny import (
    PAD,
    EventRecorder,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    max_difference,
)

CPU = torch.device("cpu")
DROPOUT = 0.2
CONTEXT = make_tiny_context()
#: Members of other sizes, lengths, rates, schedules, clips, and one whose epochs end with a batch of one.
RUNS: tuple[tuple[Run, np.ndarray], ...] = (
    (make_tiny_run(0, epochs=2, schedule="constant"), np.arange(60)),
    (make_tiny_run(1, epochs=3, clip=0.3, weight_decay=0.3), np.arange(7, 26)),
    (
        make_tiny_run(2, epochs=2, learning_rate=1e-2, clip=0, accumulation=2, schedule="cosine"),
        np.arange(45),
    ),
)
FAMILIES = ["roberta", "bert", "deberta-v2", "gpt2", "bloom", "llama", "modernbert", "mpnet"]


class _WideFunctions:
    """torch's functions, whose softmax keeps to the format that it is given."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.nn.functional, name)

    def softmax(self, x: torch.Tensor, dim: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.softmax(x, dim)


@pytest.fixture(autouse=True)
def _widen_bloom(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLOOM's softmax is in float32 whatever its weights are in, so that padding changes its rounding."""
    monkeypatch.setattr(modeling_bloom, "F", _WideFunctions())


@dataclass(frozen=True)
class _Reference:
    """A run as torch's own tools train it: its losses, and its weights by name."""

    losses: list[float]
    weights: dict[str, torch.Tensor]


def _train_alone(model: Any, run: Run, index: np.ndarray) -> _Reference:
    member, losses = Member(run, index), []
    decaying = find_decaying_parameters(model)
    groups = [
        {
            "params": [p for n, p in model.named_parameters() if (n in decaying) == decays],
            "weight_decay": decay,
        }
        for decays, decay in ((True, run.training.weight_decay), (False, 0.0))
    ]
    adamw = torch.optim.AdamW(groups, betas=run.training.betas, eps=run.training.epsilon)
    for step, turn in enumerate(iter_step_batches(member, CONTEXT)):
        adamw.zero_grad()
        count = sum(map(len, turn.batches))
        losses_of_step = [_compute_losses(model, run, *each) for each in _number(member, turn.batches)]
        loss = torch.cat(losses_of_step).sum() / count
        loss.backward()  # type: ignore[no-untyped-call]
        if run.training.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), run.training.clip)
        for group in adamw.param_groups:
            group["lr"] = learning_rate(run.training, step, member.total_steps)
        adamw.step()
        losses.append(float(loss.detach()))
    return _Reference(losses, {name: p.detach() for name, p in model.named_parameters()})


def _number(member: Member, batches: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    for index in batches:
        yield member.micro_batches, index
        member.micro_batches += 1


def _compute_losses(model: Any, run: Run, passes: int, index: np.ndarray) -> torch.Tensor:
    train = CONTEXT.parts["train"]
    batch = collate(train.tokens, index, train.labels[index], PAD)
    keys = torch.from_numpy(derive_keys([run.seed]))
    with pretend_capture(), DeviceDropout(keys, torch.tensor([passes])):
        logits = model(**build_inputs(batch, CPU)).logits
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.labels), reduction="none")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pack_is_what_torch_makes_of_each_run_alone(family: str) -> None:
    models = [make_tiny_model(family, seed=run.seed, dropout=DROPOUT) for run, _ in RUNS]
    references = [
        _train_alone(make_tiny_model(family, seed=run.seed, dropout=DROPOUT), run, index)
        for run, index in RUNS
    ]
    members = [Member(run, index) for run, index in RUNS]
    weights, heard, capture = make_device_weights(models), EventRecorder(), CountingCapture()
    notes = train_on_device(members, weights, CONTEXT, heard, capture)
    assert notes.captured
    assert capture.count > 3, "steps and evaluations"
    assert capture.replays > 20
    for member, reference in zip(members, references, strict=True):
        losses = [loss for _, loss in heard.steps_of(member.run)]
        assert losses == pytest.approx(reference.losses, rel=0, abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_afterwards_the_weights_are_those_of_torch(family: str) -> None:
    """With one epoch, the best is the last."""
    runs = [
        (make_tiny_run(run.seed, **(run.training.model_dump(exclude_unset=True) | {"epochs": 1})), index)
        for run, index in RUNS
    ]
    weights = make_device_weights(
        [make_tiny_model(family, seed=run.seed, dropout=DROPOUT) for run, _ in runs]
    )
    members = [Member(run, index) for run, index in runs]
    train_on_device(members, weights, CONTEXT, capture=CountingCapture())
    for member, (run, index) in zip(members, runs, strict=True):
        model = make_tiny_model(family, seed=run.seed, dropout=DROPOUT)
        reference = _train_alone(model, run, index)
        assert member.weights is not None
        trained = weights.layout.view_parameters(member.weights)
        assert trained.keys() == reference.weights.keys()
        for name, value in trained.items():
            assert max_difference(value, reference.weights[name]) < 1e-9, name
