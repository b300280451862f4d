"""AdamW of one run whose weights a group of processes shares: each updates its part, by the norm of all.

Shapes: P trainable weights of the run, p of this process's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from headstart.config.study import Training
from headstart.engine.group import Group
from headstart.engine.optim.base import Moments
from headstart.engine.optim.per_member import create_adamw, step_clipped
from headstart.engine.sharded_weights import MOMENTS, ShardedWeights
from headstart.engine.weights import Weights


class ShardedAdamW:
    """AdamW with clipping by norm: an `Optimiser` of one member, with torch's own update of each part."""

    def __init__(self, weights: ShardedWeights, training: Training, group: Group) -> None:
        self._weights, self._group = weights, group
        decaying, exempt = weights.create_part_leaves()
        self._leaves = [*decaying, *exempt]
        # A process may have no row of a parameter: then it has nothing to update.
        self._adamw = create_adamw(_drop_empty(decaying), _drop_empty(exempt), training)

    def step(self, rates: Sequence[float], clips: Sequence[float]) -> torch.Tensor:
        """Update the weights from the gradient; gives its norm over all processes before clipping, [1]."""
        for leaf, gradient in zip(self._leaves, self._weights.list_gradients(), strict=True):
            leaf.grad = gradient if leaf.numel() else None
        norm = self._compute_norm()
        step_clipped(self._adamw, norm, rates[0], clips[0])
        for leaf in self._leaves:
            leaf.grad = None
        return norm.unsqueeze(0)

    def _compute_norm(self) -> torch.Tensor:
        """The norm of the whole gradient, [], the same in each process."""
        like = self._leaves[0]
        total = torch.zeros((), dtype=torch.float64, device=like.device)
        for leaf in self._leaves:
            if leaf.grad is not None:
                total += torch.linalg.vector_norm(leaf.grad).double().square()
        return self._group.add_up(total).sqrt().to(like.dtype)

    def export_moments(self, r: int) -> Moments:
        """This process's moments, empty before the first step: `step`, and rows [p] of both moments.

        `ShardedWeights.gather_moments` makes of them what one process has.
        """
        states = [self._adamw.state.get(leaf, {}) for leaf in self._leaves]
        steps = [state["step"] for state in states if "step" in state]
        if not steps:
            return {}
        return {"step": steps[0]} | {
            name: self._weights.join_parts(
                [state.get(name, leaf) for state, leaf in zip(states, self._leaves, strict=True)]
            )
            for name in MOMENTS
        }

    def import_moments(self, r: int, moments: Moments) -> None:
        """Continue from moments as one process has them: take this process's part."""
        if not moments:
            return
        for name in MOMENTS:
            row = torch.cat([moments[f"{i}.{name}"].cpu() for i in range(2)])
            parts = self._weights.split_row(self._weights.take_own(row))
            for leaf, part in zip(self._leaves, parts, strict=True):
                if leaf.numel():
                    self._adamw.state[leaf][name] = part.clone()
        for leaf in self._leaves:
            if leaf.numel():
                self._adamw.state[leaf]["step"] = moments["0.step"].to(leaf.device).clone()

    def select(self, rows: Sequence[int], weights: Weights) -> ShardedAdamW:
        """This one: a group trains one run, which stays in its place to the end."""
        assert tuple(rows) == (0,)
        assert weights is self._weights
        return self


def _drop_empty(leaves: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [leaf for leaf in leaves if leaf.numel()]
