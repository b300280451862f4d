"""One training step for R members at once: summed loss, then clip, rate and update member by member.

Shapes: R members, B rows each, T tokens, C classes. Rows are grouped by member: [R*B, T].
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.nn.utils import get_total_norm

from headstart.data.batches import Batch
from headstart.engine.device import Precision, autocast
from headstart.engine.dropout import Draw, KeyedDropout
from headstart.engine.objective import Objective
from headstart.engine.stack import Stack

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
    if batch.positions is not None:  # from which the library knows where a text begins
        shared = {"input_ids": batch.ids, "position_ids": batch.positions}
        return {k: torch.from_numpy(v).to(device) for k, v in shared.items()}
    arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
    return {k: torch.from_numpy(v).to(device) for k, v in arrays.items() if v is not None}


def spoken(
    module: torch.nn.Module, batch: Batch, device: torch.device
) -> tuple[dict[str, Any], torch.Tensor]:
    """What a model is asked for besides its inputs, and what its logits are held against.

    Of a causal model: no keys and values, for nothing is generated from this pass; and where the family's
    own method allows it, logits at those places alone that some row says something at. A large vocabulary's
    logits of all tokens would fill the memory.
    """
    if batch.targets is None:
        return {}, torch.from_numpy(batch.labels).to(device)
    more: dict[str, Any] = {"use_cache": False}
    targets = batch.targets
    model: Any = module.model if isinstance(module, Stack) else _unwrapped(module)
    if _can_choose_places(model.__class__):
        places = np.flatnonzero((targets >= 0).any(0))
        more["logits_to_keep"] = torch.from_numpy(places).to(device)
        targets = targets[:, places]
    return more, torch.from_numpy(targets).to(device)


def _unwrapped(module: Any) -> Any:
    """The model inside PEFT's."""
    return module.get_base_model() if hasattr(module, "get_base_model") else module


@cache
def _can_choose_places(family: type) -> bool:
    forward: Any = family.forward  # type: ignore[attr-defined]
    return "logits_to_keep" in inspect.signature(forward).parameters


def gradients(
    module: torch.nn.Module,
    passes: Sequence[Pass],
    *,
    task: Objective,
    device: torch.device,
    precision: Precision,
) -> np.ndarray:
    """Add the gradient of the summed losses to the parameters; gives each member's mean loss, [R]."""
    total = torch.zeros(len(passes[0].draws), dtype=torch.float64)
    for one in passes:
        members, rows = one.weights.shape
        inputs = forward_inputs(one.batch, device)
        with KeyedDropout(one.draws, rows, one.batch.ids.shape[1]), autocast(device, precision):
            more, labels = spoken(module, one.batch, device)
            logits = module(**inputs, **more).logits
        losses = task.compute_losses(logits, labels)
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
