"""The loss of each text by task, never reduced: whoever sums decides the weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from headstart.config.traits import TaskName


def text_losses(logits: torch.Tensor, labels: torch.Tensor, task: TaskName) -> torch.Tensor:
    """Losses, shape [n], of logits [n, C] against labels [n] or [n, C]; at least float32.

    For instruction: the sum of the token losses of logits [n, T, V] against the ids to be said [n, T], of
    which those below 0 are none.

    Cross-entropy for classification, binary cross-entropy meant over the C labels for multi-label,
    squared error of the one output for regression: what transformers' models compute themselves.
    """
    if task == "instruction":
        return token_losses(logits, labels).sum(-1)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if task == "classification":
        return F.cross_entropy(logits, labels, reduction="none")
    labels = labels.to(logits.dtype)
    if task == "multi-label":
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(-1)
    return F.mse_loss(logits.squeeze(-1), labels, reduction="none")


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of each token, [n, T], zero where no target is: logits [n, T, V], targets [n, T].

    Logits in a wider format only where there is a target: a large vocabulary's fill the memory.
    """
    said = targets >= 0
    chosen = logits[said]
    chosen = chosen if chosen.dtype == torch.float64 else chosen.float()
    losses = torch.zeros(targets.shape, dtype=chosen.dtype, device=logits.device)
    return losses.masked_scatter(said, F.cross_entropy(chosen, targets[said], reduction="none"))


def probabilities(logits: torch.Tensor, task: TaskName) -> torch.Tensor:
    """What a model says, [n, C]: class probabilities, label probabilities, or for regression the number."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if task == "classification":
        return logits.softmax(-1)
    return logits.sigmoid() if task == "multi-label" else logits
