"""Checks a stack against its members' own models: a small batch has to give the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from headstart.engine.modes import evaluation_mode
from headstart.engine.stacked_model import Stack
from headstart.errors import StackError
from headstart.models.vocabulary import CompactEmbedding

_CHECK_ROWS, _CHECK_TOKENS = 2, 7
#: How far two orders of summation may differ, in units of the number format's last place.
_ROUNDING = 1e4


def check_agreement(module: Stack, models: Mapping[int, nn.Module]) -> None:
    """Run a small batch through the stack and through some members' own models, which must give the same.

    Raises:
        StackError: they do not.
    """
    first = next(iter(models.values()))
    batch = _create_check_batch(first)
    repeated = {name: rows.repeat(module.members, 1) for name, rows in batch.items()}
    try:
        stacked = _compute_outputs(module, repeated).chunk(module.members)
        errors = [_measure_gap(stacked[r], _compute_outputs(model, batch)) for r, model in models.items()]
    # Whatever the family's own code raises on layers that it does not expect.
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
        message = f"its code does not work on stacked layers: {str(error).splitlines()[0]}"
        raise StackError(message, where=type(first).__name__) from error
    if not max(errors) <= 1:  # so written, it refuses a gap that is not a number, too
        raise StackError(
            "stacked, it computes something else: this family uses its layers in a nonstandard way",
            where=type(first).__name__,
        )


def _create_check_batch(model: nn.Module) -> dict[str, torch.Tensor]:
    """Two rows of seven ids that the model knows, the second padded; drawn the same way each time."""
    table: Any = model.get_input_embeddings()  # type: ignore[operator]
    is_compact = isinstance(table, CompactEmbedding)
    known = table.list_ids().cpu() if is_compact else torch.arange(table.num_embeddings)
    draw = torch.Generator().manual_seed(0)
    ids = known[torch.randint(len(known), (_CHECK_ROWS, _CHECK_TOKENS), generator=draw)]
    mask = torch.ones_like(ids)
    padding = getattr(getattr(model, "config", None), "pad_token_id", None)
    if padding is not None:
        mask[1, -_CHECK_TOKENS // 3 :] = 0
        ids[mask == 0] = padding
    device = next(model.parameters()).device
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}


def _compute_outputs(module: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The outputs without dropout: logits, or the last hidden states of a model without a head."""
    with evaluation_mode(module), torch.no_grad():
        outputs = module(**inputs)
    tensor: torch.Tensor = outputs.logits if "logits" in outputs else outputs[0]
    return tensor


def _measure_gap(outputs: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, in units of what rounding explains."""
    allowed = _ROUNDING * torch.finfo(expected.dtype).eps * (1 + float(expected.abs().max()))
    return float((outputs - expected).abs().max()) / allowed
