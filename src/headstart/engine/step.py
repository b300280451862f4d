"""The gradients of one training step for R members at once: forward and backward passes of a summed loss.

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
import torch.nn.functional as F

from headstart.data.batches import IGNORE_INDEX, Batch
from headstart.device import Precision, make_autocast_context
from headstart.engine.dropout import DropoutKey, HostDropout
from headstart.engine.objective import Objective
from headstart.engine.stacked_model import Stack
from headstart.engine.virtual_tokens import count_virtual_logits, unwrap_peft


@dataclass(frozen=True)
class MicroBatch:
    """One forward pass of a pack: `batch` [R*B, T], `weights` [R, B] of its rows in the losses, R `keys`.

    An example's weight is 1 over the examples that its member learns from in this step (for instruction: over
    the tokens that count in the loss), so that a member's losses add up to its mean over all of them, however
    many micro-batches make the step. A row that only fills a member up to B has weight 0.
    """

    batch: Batch
    weights: np.ndarray
    keys: tuple[DropoutKey, ...]


def build_inputs(batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    """The batch as keyword arguments of a Hugging Face model."""
    if batch.position_ids is not None:  # from which the library knows where an example begins
        packed = {"input_ids": batch.input_ids, "position_ids": batch.position_ids}
        return {k: torch.from_numpy(v).to(device) for k, v in packed.items()}
    arrays = {
        "input_ids": batch.input_ids,
        "attention_mask": batch.attention_mask,
        "token_type_ids": batch.token_type_ids,
    }
    return {k: torch.from_numpy(v).to(device) for k, v in arrays.items() if v is not None}


def build_loss_inputs(
    module: torch.nn.Module, batch: Batch, device: torch.device
) -> tuple[dict[str, Any], torch.Tensor]:
    """Further keyword arguments of the model for a loss, and the labels that its logits are compared with.

    A causal model gives no keys and values, for nothing is generated from this pass; and where the family's
    forward method allows it, logits at those positions alone at which some row has a label. A large
    vocabulary's logits of all tokens would fill memory.
    """
    if batch.token_labels is None:
        return choose_loss_inputs(module, torch.from_numpy(batch.labels).to(device), None)
    positions = np.flatnonzero((batch.token_labels >= 0).any(0))
    token_labels = torch.from_numpy(batch.token_labels).to(device)
    return choose_loss_inputs(module, token_labels, torch.from_numpy(positions).to(device))


def choose_loss_inputs(
    module: torch.nn.Module, labels: torch.Tensor, positions: torch.Tensor | None
) -> tuple[dict[str, Any], torch.Tensor]:
    """As `build_loss_inputs`, of labels on the device.

    Args:
        positions: of the logits that are kept, [K], where the model can; None without token labels.
    """
    if positions is None:
        return _refuse_cache(module), labels
    virtual = count_virtual_logits(module)
    if not can_keep_logits(module):
        return {"use_cache": False}, F.pad(labels, (virtual, 0), value=IGNORE_INDEX)
    kept = {"use_cache": False, "logits_to_keep": positions + virtual}
    return kept, labels.index_select(1, positions)


def can_keep_logits(module: torch.nn.Module) -> bool:
    """Whether a model, or a stack's, computes the logits of some positions alone where it is asked to."""
    return "logits_to_keep" in _list_parameters(_get_family(module))


def _refuse_cache(module: torch.nn.Module) -> dict[str, Any]:
    """Keyword arguments that have a causal model keep no keys and values, if it would."""
    return {"use_cache": False} if "use_cache" in _list_parameters(_get_family(module)) else {}


def _get_family(module: torch.nn.Module) -> type:
    """The class of a model, or of a stack's."""
    model: Any = module.model if isinstance(module, Stack) else unwrap_peft(module)
    return type(model)


@cache
def _list_parameters(family: Any) -> frozenset[str]:
    """What the family's forward method may be given."""
    return frozenset(inspect.signature(family.forward).parameters)


def accumulate_gradients(
    module: torch.nn.Module,
    micro_batches: Sequence[MicroBatch],
    *,
    task: Objective,
    device: torch.device,
    precision: Precision,
) -> torch.Tensor:
    """Add the gradient of the summed losses to the parameters; gives each member's mean loss, float64 [R].

    The losses stay on `device`: reading them there and then would make the host wait for all of the step.
    """
    total = torch.zeros(len(micro_batches[0].keys), dtype=torch.float64, device=device)
    for micro_batch in micro_batches:
        batch, (members, rows) = micro_batch.batch, micro_batch.weights.shape
        inputs = build_inputs(batch, device)
        with (
            HostDropout(micro_batch.keys, rows, batch.input_ids.shape[1]),
            make_autocast_context(device, precision),
        ):
            more, labels = build_loss_inputs(module, batch, device)
            logits = module(**inputs, **more).logits
        losses = task.compute_losses(logits, labels)
        weights = torch.from_numpy(micro_batch.weights).to(device, losses.dtype)
        by_member = (losses.view(members, rows) * weights).sum(-1)
        # Summed over members, never averaged: a member's gradient is what it would be alone.
        by_member.sum().backward()  # type: ignore[no-untyped-call]
        total += by_member.detach()
    return total
