"""One training step for R members at once: summed loss, then clip, rate and update member by member.

Shapes: R members, B rows each, T tokens, C classes. Rows are grouped by member: [R*B, T].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.utils import get_total_norm

from headstart.config.metrics import Task
from headstart.data.batches import Batch
from headstart.engine.device import Precision, autocast
from headstart.engine.dropout import Draw, KeyedDropout
from headstart.engine.losses import text_losses

#: What torch's `clip_grad_norm_` adds to the norm.
_CLIP_EPSILON = 1e-6


@dataclass(frozen=True)
class Pass:
    """One forward pass: batch of [R*B, T], the `weights` [R, B] of its texts in each loss, and R `draws`.

    A text's weight is 1 over the texts that its member learns from in this step (for instruction: over the
    tokens that carry loss), so that a member's losses add up to its mean over all of them, however many
    passes share the step. A row that only fills a member up to B weighs nothing.
    """

    batch: Batch
    weights: np.ndarray
    draws: tuple[Draw, ...]


def forward_inputs(batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    """The batch as keyword arguments of a Hugging Face model."""
    arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
    return {k: torch.from_numpy(v).to(device) for k, v in arrays.items() if v is not None}


def labels_of(batch: Batch) -> np.ndarray:
    """What the logits are held against: the texts' labels, or the tokens to be said."""
    return batch.labels if batch.targets is None else batch.targets


def gradients(
    module: torch.nn.Module,
    passes: Sequence[Pass],
    *,
    task: Task,
    device: torch.device,
    precision: Precision,
) -> np.ndarray:
    """Add the gradient of the summed losses to the parameters; gives each member's mean loss, [R]."""
    total = torch.zeros(len(passes[0].draws), dtype=torch.float64)
    for one in passes:
        members, rows = one.weights.shape
        inputs = forward_inputs(one.batch, device)
        with KeyedDropout(one.draws, rows, one.batch.ids.shape[1]), autocast(device, precision):
            logits = module(**inputs).logits
        losses = text_losses(logits, torch.from_numpy(labels_of(one.batch)).to(device), task)
        weights = torch.from_numpy(one.weights).to(device, losses.dtype)
        by_member = (losses.view(members, rows) * weights).sum(-1)
        by_member.sum().backward()  # type: ignore[no-untyped-call]
        total += by_member.detach().to("cpu", torch.float64)
    return total.numpy()


def update(optimiser: torch.optim.Optimizer, *, rate: float, clip: float) -> float:
    """Clip one member's gradient to norm `clip` (0 for no clipping), step at `rate`; gives the norm before.

    A norm that is not finite leaves the weights as they are: the caller fails the member.
    """
    leaves = [leaf for group in optimiser.param_groups for leaf in group["params"]]
    norm = float(get_total_norm([leaf.grad for leaf in leaves]))
    if not np.isfinite(norm):
        return norm
    for group in optimiser.param_groups:
        group["lr"] = rate
    _divide_by(optimiser, leaves, max(1.0, (norm + _CLIP_EPSILON) / clip) if clip else 1.0)
    optimiser.step()
    return norm


def _divide_by(optimiser: torch.optim.Optimizer, leaves: Sequence[torch.Tensor], scale: float) -> None:
    """Have the next step see gradients divided by `scale`.

    By what a loss scaler uses: the optimiser divides while it reads, without a pass of its own. That
    number is float32, so double precision is divided here.
    """
    optimiser.grad_scale = None  # type: ignore[attr-defined]
    if scale == 1:
        return
    if leaves[0].dtype == torch.float64:
        for leaf in leaves:
            assert leaf.grad is not None
            leaf.grad.div_(scale)
    else:
        optimiser.grad_scale = torch.tensor(scale, device=leaves[0].device)  # type: ignore[attr-defined]
