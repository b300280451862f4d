"""AdamW for one member: two flat vectors, of which one decays; moments move with a member's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from headstart.config.study import Training


def adamw(leaves: Sequence[torch.Tensor], training: Training) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2), fused; the first leaf decays, the second does not.

    The rate is 0 until the step sets it.
    """
    decays = (training.weight_decay, 0.0)
    groups = [{"params": [p], "weight_decay": d} for p, d in zip(leaves, decays, strict=True)]
    return torch.optim.AdamW(groups, lr=0.0, betas=training.betas, eps=training.epsilon, fused=True)


def rebind(optimiser: torch.optim.Optimizer, leaves: Sequence[torch.Tensor]) -> None:
    """Let `optimiser` go on with the same weights at another place in memory, its moments kept."""
    for group, leaf in zip(optimiser.param_groups, leaves, strict=True):
        (old,) = group["params"]
        group["params"] = [leaf]
        if old in optimiser.state:
            optimiser.state[leaf] = optimiser.state.pop(old)
