"""The optimiser of a pack as the training loop knows it: one update of R members, and their moments.

Shapes: R members, P trainable weights of one member. Weights and gradients lie in the buffers of `Weights`,
[R, P]: an optimiser is made for one such object and updates its values in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch

from headstart.engine.weights import Weights

#: One member's moments by name, the names of the training state on disk: `0.` are those of the weights that
#: decay, `1.` of the others; each has `step` [], the steps made, and `exp_avg` and `exp_avg_sq` [n].
Moments = Mapping[str, torch.Tensor]


class FixedOptimiser(Protocol):
    """Updates R members, each with a learning rate, a gradient clip, settings and moments of its own: the
    same members from the first step to the last.

    A step does not wait for the device.
    """

    def step(self, rates: Sequence[float], clips: Sequence[float]) -> torch.Tensor:
        """Update every member from its gradient; gives the norms before clipping, [R], on the device.

        A member whose norm is not finite is left as it was: weights, moments and number of steps.

        Args:
            rates: the members' learning rates in this step, [R].
            clips: the largest norm that each member's gradient may have, [R]; 0 for no clipping.
        """

    def export_moments(self, r: int) -> Moments:
        """Member r's moments, empty before its first step; views that the next step may overwrite."""

    def import_moments(self, r: int, moments: Moments) -> None:
        """Have member r continue from moments that `export_moments` gave, perhaps in another process."""


class Optimiser(FixedOptimiser, Protocol):
    """An optimiser whose members may leave."""

    def select(self, rows: Sequence[int], weights: Weights) -> Optimiser:
        """The optimiser of the members at `rows`, in this order, whose weights are now those of `weights`.

        Moments need not be copied: this object may select other members afterwards, but not step.
        """
