"""Losses that tasks share, never reduced: whoever sums decides the weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def upcast_logits(logits: torch.Tensor) -> torch.Tensor:
    """Logits in float32 at least."""
    return logits if logits.dtype == torch.float64 else logits.float()


def compute_token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of each token, [n, T], zero where no target is: logits [n, T, V], targets [n, T].

    Logits in a wider format only where there is a target: a large vocabulary's fill the memory.
    """
    has_target = targets >= 0
    chosen = upcast_logits(logits[has_target])
    losses = torch.zeros(targets.shape, dtype=chosen.dtype, device=logits.device)
    return losses.masked_scatter(has_target, F.cross_entropy(chosen, targets[has_target], reduction="none"))
