"""Checks that examples packed into one row do not see each other; refuses families in which they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from headstart.data.batches import collate, collate_packed
from headstart.data.tokenise import Tokens
from headstart.engine.families import patch_position_ids
from headstart.engine.modes import evaluation_mode
from headstart.engine.step import build_inputs
from headstart.errors import ModelError

_LENGTHS = (5, 3)
#: Differences between two orders of summation, as a share of the largest logit.
_ROUNDING = 1e-4


def check_sequence_isolation(model: Any, pad_id: int) -> None:
    """Compute two short examples in one row and apart: the library knows by positions where one begins.

    Raises:
        ModelError: an example's logits change with the other's presence, as where positions are not read.
    """
    patch_position_ids(model)
    packed, apart = _compute_logits(model, pad_id)
    gap = max(float((a - b).abs().max()) for a, b in zip(packed, apart, strict=True))
    if not gap <= _ROUNDING * max(1.0, max(float(logits.abs().max()) for logits in apart)):
        raise ModelError(
            f"in a {model.config.model_type}, packed sequences would attend to each other",
            where="prompts.packing",
            fix="set it to false: batches group texts of similar length anyway",
        )


def _compute_logits(model: Any, pad_id: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Each example's logits [T, V], packed into one row and by itself."""
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, sum(_LENGTHS)).astype(np.int32)
    tokens = Tokens(ids, np.cumsum([0, *_LENGTHS]), None, 0, loss_mask=np.ones(len(ids), bool))
    device = next(model.parameters()).device
    with evaluation_mode(model), torch.inference_mode():
        row = collate_packed(tokens, [np.arange(len(_LENGTHS))], sum(_LENGTHS) + 1, pad_id)
        packed = model(**build_inputs(row, device), use_cache=False).logits[0, : len(ids)]
        apart = []
        for i, length in enumerate(_LENGTHS):
            inputs = build_inputs(collate(tokens, [i], np.zeros(1), pad_id), device)
            apart.append(model(input_ids=inputs["input_ids"][:, :length], use_cache=False).logits[0])
    return list(packed.split(list(_LENGTHS))), apart
