"""Steps on a CPU: batches and masks are made on the host, and members that have ended leave at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from headstart.data.corpus import Part
from headstart.engine.member import Member, PackContext, StepBatches
from headstart.engine.micro_batches import build_micro_batches
from headstart.engine.optim.base import Optimiser
from headstart.engine.step import accumulate_gradients
from headstart.engine.weights import Weights


class HostSteps:
    """`Steps` of members in the order of their weights' rows."""

    def __init__(
        self, members: Sequence[Member], weights: Weights, optimiser: Optimiser, context: PackContext
    ) -> None:
        self._members, self._weights = members, weights
        self._optimiser, self._context = optimiser, context
        self._losses = torch.zeros(len(members), dtype=torch.float64)

    def accumulate(self, step_batches: Sequence[StepBatches]) -> None:
        """As `Steps`."""
        context = self._context
        self._losses = accumulate_gradients(
            self._weights.module,
            build_micro_batches(self._members, step_batches, context),
            task=context.task,
            device=context.device,
            precision=context.precision,
        )

    def update(self) -> torch.Tensor:
        """As `Steps`."""
        members = self._members
        rates, clips = [m.next_learning_rate for m in members], [m.run.training.clip for m in members]
        norms = self._optimiser.step(rates, clips)
        self._weights.zero_gradients()
        return torch.stack([self._losses.double(), norms.double()])

    def find_forward(self, part: Part, *, again: bool = True) -> None:
        """None: evaluation plans by itself."""

    def keep_ended(self, ended: int, left: int) -> bool:
        """Never: a step of fewer members costs less from the next one on."""
        return False
