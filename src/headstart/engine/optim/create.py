"""Chooses the optimiser for the device that a pack's weights are on."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.config.study import Training
from headstart.engine.kind import uses_device_engine
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.optim.per_member import PerMemberAdamW
from headstart.engine.weights import Weights


def create_optimiser(
    weights: Weights, trainings: Sequence[Training], *, batched: bool | None = None
) -> Optimiser:
    """The optimiser of the R members of `weights` before their first step, with their settings, [R].

    Args:
        batched: one update of all members, which a CUDA graph can capture; by default not on a CPU, where it
            takes several times as long as torch's fused kernel for each member.
    """
    if batched is None:
        batched = uses_device_engine(weights.values.device)
    return BatchedAdamW(weights, trainings) if batched else PerMemberAdamW(weights, trainings)
