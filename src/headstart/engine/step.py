"""One training step for R members at once: summed loss, then clip, rate and update member by member.

Shapes: R members, B rows each, T tokens, C classes. Rows are grouped by member: [R*B, T].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headstart.config.metrics import Task
from headstart.data.batches import Batch
from headstart.engine.device import Precision, autocast
from headstart.engine.dropout import KeyedDropout
from headstart.engine.losses import text_losses


@dataclass(frozen=True)
class Rows:
    """One forward pass: batch of [R*B, T] and the `weights` [R, B] that its texts have in each loss.

    A text's weight is 1 over the texts that its member learns from in this step, so that a member's
    losses add up to its mean over all of them, however many passes share the step.
    """

    batch: Batch
    weights: np.ndarray


@dataclass(frozen=True)
class StepResult:
    """Mean loss [R] and norm of the gradient before clipping [R] of each member."""

    losses: np.ndarray
    norms: np.ndarray


def forward_inputs(batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    """The batch as keyword arguments of a Hugging Face model."""
    arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
    return {k: torch.from_numpy(v).to(device) for k, v in arrays.items() if v is not None}


def gradients(
    module: torch.nn.Module,
    passes: Sequence[Rows],
    seeds: Sequence[int],
    *,
    first_pass: int,
    task: Task,
    device: torch.device,
    precision: Precision,
) -> np.ndarray:
    """Add the gradient of the summed losses to the parameters; gives each member's mean loss, [R].

    Args:
        seeds: the R members' seeds, which key their dropout.
        first_pass: forward passes that the members have made before this step.
    """
    total = torch.zeros(len(seeds), dtype=torch.float64)
    for i, rows in enumerate(passes):
        inputs = forward_inputs(rows.batch, device)
        with KeyedDropout(seeds, first_pass + i), autocast(device, precision):
            logits = module(**inputs).logits
        losses = text_losses(logits, torch.from_numpy(rows.batch.labels).to(device), task)
        weights = torch.from_numpy(rows.weights).to(device, losses.dtype)
        by_member = (losses.view(len(seeds), -1) * weights).sum(-1)
        by_member.sum().backward()  # type: ignore[no-untyped-call]
        total += by_member.detach().to("cpu", torch.float64)
    return total.numpy()


def update(
    optimiser: torch.optim.Optimizer, parameters: Sequence[torch.nn.Parameter], *, rate: float, clip: float
) -> float:
    """Clip one member's gradient to norm `clip` (0 for no clipping), step at `rate`; gives the norm before.

    A norm that is not finite leaves the weights as they are: the caller fails the member.
    """
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, clip or float("inf")))
    if np.isfinite(norm):
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
    # Kept and zeroed, not freed: fresh memory for the gradients of a large embedding is page faults.
    optimiser.zero_grad(set_to_none=False)
    return norm
