"""How a pretraining's steps are made, as its loop knows it: on the host, or on a device without waiting."""

from __future__ import annotations

from typing import Protocol

import torch

from headstart.pretraining.batches import StepBatch


class Steps(Protocol):
    """Makes steps of one model, whose weights and moments it changes."""

    @property
    def captured(self) -> bool:
        """Whether passes are replayed as CUDA graphs."""

    @property
    def reason(self) -> str | None:
        """Why something is not compiled, or not captured, that was to be."""

    def make_step(self, step: int, batch: StepBatch, rate: float) -> torch.Tensor:
        """Step `step` (0-based) at this learning rate; gives the mean loss and the gradient's norm before
        clipping, float64 [2], unread: a tensor of its own."""

    def release_memory(self, why: str) -> bool:
        """Give back what captured steps hold, and capture no more; whether there was any such thing."""
