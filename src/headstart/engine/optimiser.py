"""AdamW for one member, with the decay groups of its tuning method."""

from __future__ import annotations

import torch

from headstart.config.study import Training
from headstart.tuning.full import parameter_groups


def adamw(model: torch.nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2), fused, without decay on biases and norms.

    The rate is 0 until the step sets it.
    """
    decay, plain = parameter_groups(model)
    groups = [
        {"params": decay, "weight_decay": training.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    filled = [group for group in groups if group["params"]]
    return torch.optim.AdamW(filled, lr=0.0, betas=training.betas, eps=training.epsilon, fused=True)
