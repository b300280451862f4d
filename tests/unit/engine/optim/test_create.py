"""Which optimiser a pack gets."""

from __future__ import annotations

import torch

from adamw_cases import TRAININGS, make_weights
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.optim.create import create_optimiser
from headstart.engine.optim.per_member import PerMemberAdamW


def test_members_on_a_cpu_have_each_their_own_unless_asked() -> None:
    weights = make_weights(torch.float32)
    assert isinstance(create_optimiser(weights, TRAININGS), PerMemberAdamW)
    assert isinstance(create_optimiser(weights, TRAININGS, batched=True), BatchedAdamW)


def test_members_elsewhere_have_one_for_all_unless_asked() -> None:
    weights = make_weights(torch.float32)
    weights.values, weights.grads = weights.values.to("meta"), weights.grads.to("meta")
    assert isinstance(create_optimiser(weights, TRAININGS), BatchedAdamW)
    assert isinstance(create_optimiser(weights, TRAININGS, batched=False), PerMemberAdamW)
