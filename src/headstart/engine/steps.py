"""How a pack's steps are made, as the training loop knows it: on the host, or on a device without waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from headstart.data.corpus import Part
from headstart.engine.device_evaluation import DeviceForward
from headstart.engine.member import StepBatches


class Steps(Protocol):
    """Makes steps of the R members of one pack, whose weights and moments it changes."""

    def accumulate(self, step_batches: Sequence[StepBatches]) -> None:
        """Add the gradients of one step, from each member's batches, [R]; one that has none learns nothing.

        Raises:
            RuntimeError, MemoryError: memory does not hold it (`memory.is_out_of_memory`).
        """

    def update(self) -> torch.Tensor:
        """Update every member from its gradient, which is zero then.

        Gives the losses and the norms before clipping, float64 [2, R], on the device: a tensor of its own.
        """

    def find_forward(self, part: Part, *, again: bool = True) -> DeviceForward | None:
        """What computes the module's members over a part, where there is such a thing.

        Args:
            again: the same members will be computed anew; False for some of them, in a copy of their weights.
        """

    def keep_ended(self, ended: int, left: int) -> bool:
        """Whether so many members who are done are to stay without batches, and cost what they cost.

        That pays where taking them out would make steps slow for a while.

        Args:
            left: steps that are left to the members who are not done.
        """
