"""Trains tiny models in one process or in a group: what tests of groups compare, made alike in both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from groups import Processes
from headstart.config.parallel import ParallelKind
from headstart.config.study import Lora
from headstart.config.traits import TaskName
from headstart.engine.group import Group
from headstart.engine.kind import force_host_engine
from headstart.engine.member import Member
from headstart.engine.memory import enable_gradient_checkpointing
from headstart.engine.optim.base import Moments
from headstart.engine.optim.create import create_optimiser
from headstart.engine.optim.decay import find_decaying_parameters
from headstart.engine.train import train
from headstart.engine.weights import Weights
from headstart.methods.lora_layers import inject_adapters
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run, max_difference


@dataclass(frozen=True)
class Case:
    """A tiny training: what it trains, and how."""

    family: str = "bert"
    task: TaskName = "classification"
    texts: int = 60
    lora: bool = False
    recomputes: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a training gave: losses, epochs' metrics, weights [P] of the best epoch, and moments."""

    losses: list[float]
    scores: list[dict[str, float]]
    weights: torch.Tensor | None
    moments: Moments
    error: str | None = None


def make_model(case: Case) -> Any:
    """The model before its first step: dropout on, in float64."""
    model = make_tiny_model(case.family, case.task, seed=5, dropout=0.2)
    if case.lora:
        inject_adapters(model, Lora(r=2, dropout=0.1), 3)
        model.double()
    if case.recomputes:
        assert enable_gradient_checkpointing(model)
    return model


def train_case(group: Group | None, case: Case) -> Outcome:
    """Train it: in this process alone, or as one of a group."""
    settings = {"steps": 20, "clip": 0.5, **case.settings}
    run = make_tiny_run(1, **settings)
    context = replace(make_tiny_context(case.task, case.texts), group=group)
    member, heard = Member(run, np.arange(case.texts)), EventRecorder()
    model = make_model(case)
    decaying = find_decaying_parameters(model)
    if group is None or group.kind == "ddp":
        weights = Weights(model, decaying)
        optimiser: Any = create_optimiser(weights, [run.training], batched=False)
    else:
        from headstart.engine.optim.sharded import ShardedAdamW
        from headstart.engine.sharded_weights import ShardedWeights

        weights = ShardedWeights(model, decaying, group, context.device)
        optimiser = ShardedAdamW(weights, run.training, group)
    with force_host_engine():
        train([member], weights, context, heard, optimiser=optimiser)
    learnt, moments = member.weights, optimiser.export_moments(0)
    if group is not None and group.kind == "fsdp" and learnt is not None:
        learnt, moments = weights.gather_row(learnt), weights.gather_moments(moments)
    scores = [dict(point.valid) for point in heard.points]
    error = str(member.error) if member.error else None
    return Outcome(heard.losses, scores, learnt, dict(moments or {}), error)


def check_grouped(two: Processes, kind: ParallelKind, case: Case) -> None:
    """See that two processes train it as one does, within 1e-9, and each to the bits of the other."""
    alone = train_case(None, case)
    first, second = two.run(train_case, kind, case)
    assert alone.losses[0] != alone.losses[-1]
    _check_equal(alone, first)
    assert (second.losses, second.scores) == (first.losses, first.scores)
    if kind == "ddp":
        assert max_difference(second.weights, first.weights) == 0


def _check_equal(expected: Outcome, actual: Outcome) -> None:
    assert len(actual.losses) == len(expected.losses)
    assert np.allclose(actual.losses, expected.losses, rtol=0, atol=1e-9)
    assert len(actual.scores) == len(expected.scores)
    for wanted, got in zip(expected.scores, actual.scores, strict=True):
        assert got == pytest.approx(wanted, abs=1e-9)
    assert max_difference(actual.weights, expected.weights) < 1e-9
    assert actual.moments.keys() == expected.moments.keys()
    for name, value in expected.moments.items():
        torch.testing.assert_close(actual.moments[name].to(value.dtype), value, rtol=0, atol=1e-9)
