"""Chooses the optimiser for the device that a pack's weights are on."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.config.study import Training
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.per_member import PerMemberAdamW
from headstart.engine.weights import Weights


def create_optimiser(weights: Weights, trainings: Sequence[Training]) -> Optimiser:
    """The optimiser of the R members of `weights` before their first step, with their settings, [R]."""
    return PerMemberAdamW(weights, trainings)
