"""Steps of a pretraining on a CPU: masks of dropout are keyed and drawn in bulk, nothing is captured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from headstart.engine.dropout import DropoutKey, HostDropout
from headstart.engine.optim.base import FixedOptimiser
from headstart.pretraining.batches import BlockBatch, StepBatch
from headstart.pretraining.passes import PassMaker


@dataclass
class HostSteps:
    """`Steps` on the host."""

    passes: PassMaker
    optimiser: FixedOptimiser
    captured = False

    @property
    def reason(self) -> str | None:
        """As `Steps`."""
        return self.passes.reason

    def make_step(self, step: int, batch: StepBatch, rate: float) -> torch.Tensor:
        """As `Steps`."""
        training = self.passes.settings.training
        loss = self._accumulate(step * training.accumulation, batch)
        norms = self.optimiser.step([rate], [training.clip])
        self.passes.weights.zero_gradients()
        return torch.stack([loss, norms[0].double()])

    def release_memory(self, why: str) -> bool:
        """As `Steps`."""
        return False

    def _accumulate(self, first: int, batch: StepBatch) -> torch.Tensor:
        """Add the gradient of the step's mean loss to the buffers; gives that loss, float64 []."""
        total = torch.zeros((), dtype=torch.float64)
        for number, one in enumerate(batch.passes, first):
            total += self.passes.attempt(partial(self._backpropagate, number, one, batch.targets))
        return total

    def _backpropagate(self, number: int, one: BlockBatch, targets: int) -> torch.Tensor:
        """Add the gradient of pass `number`, of a step with so many targets; gives its part of the loss."""
        inputs = self.passes.send(one)
        with self._drop_out(number, one):
            loss = self.passes.compute(inputs) / max(1, targets)
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _drop_out(self, number: int, one: BlockBatch) -> HostDropout:
        """The masks of pass `number`, a function of it and of the seed."""
        rows, tokens = one.input_ids.shape
        return HostDropout((DropoutKey(self.passes.settings.seed, number, rows, tokens),), rows, tokens)
