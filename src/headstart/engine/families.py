"""Patches for the few families that use a layer's weights past its forward method: they are told of members.

Relative positions are the same for all rows of a batch, so these models compute with them once, without
rows; stacked, they are computed once a member and repeated for its rows. The arithmetic stays the family's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn


def patch_for_stack(model: nn.Module) -> None:
    """Replace the methods of a stacked model that do not work on stacked layers, in place."""
    for module in model.modules():
        for method, stacked in _STACKED_METHODS.get(type(module).__name__, {}).items():
            # Bound, not closed over: a copy of the model then has methods of its own.
            setattr(module, method, MethodType(stacked, module))


def unpatch(model: nn.Module) -> None:
    """Give a model its own methods back after `patch_for_stack`."""
    for module in model.modules():
        for method in _STACKED_METHODS.get(type(module).__name__, ()):
            vars(module).pop(method, None)


def find_obstacle(model: nn.Module) -> str | None:
    """Why a model of these families cannot be stacked with the parameters that it has frozen, or None."""
    for module in model.modules():
        table = getattr(module, "rel_embeddings", None)
        if table is not None and not table.weight.requires_grad:
            return (
                "its frozen relative positions are one tensor for all rows, which dropout must draw for each"
            )
    return None


def patch_position_ids(model: nn.Module) -> None:
    """Have a BLOOM, plain or stacked, take `position_ids` that restart with each example of a row, in place.

    Its ALiBi adds slope * key position to scores, which within one example differs from its own by a constant
    alone (Press et al. 2022, section 3): so examples of a row need only not see each other.
    """
    for bloom in [m for m in model.modules() if type(m).__name__ == "BloomForCausalLM"]:
        visible: list[torch.Tensor | None] = [None]  # a cell that `forward` fills and the blocks' hooks read
        # Set on the object: PEFT calls `forward` past a module's hooks.
        setattr(bloom, "forward", partial(_add_position_ids, visible, bloom.forward))  # noqa: B010 - mypy knows a method
        blocks: Any = bloom.transformer.h  # type: ignore[union-attr]
        for block in blocks:
            block.register_forward_pre_hook(partial(_add_mask, visible), with_kwargs=True)


def _add_position_ids(
    visible: list[torch.Tensor | None], forward: Any, *inputs: Any, position_ids: Any = None, **more: Any
) -> Any:
    visible[0] = None if position_ids is None else _make_block_causal_mask(position_ids)
    return forward(*inputs, **more)


def _add_mask(visible: list[torch.Tensor | None], _: nn.Module, inputs: Any, more: dict[str, Any]) -> Any:
    seen = visible[0]
    if seen is None:
        return None
    dtype = inputs[0].dtype
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return inputs, more | {"attention_mask": mask.masked_fill_(~seen, torch.finfo(dtype).min)}


def _make_block_causal_mask(positions: torch.Tensor) -> torch.Tensor:
    """Which tokens each token sees, [rows, 1, T, T]: earlier ones of its example, for positions [rows, T]."""
    example = (positions == 0).cumsum(-1)
    same = example[:, None, :, None] == example[:, None, None, :]
    return same & torch.ones(same.shape[-2:], dtype=torch.bool, device=same.device).tril()


class _StandIn:
    """An object with the attributes given, for a family's own code to run on; torch.compile traces it, as it
    does not `SimpleNamespace`."""

    def __init__(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


def repeat_for_rows(x: torch.Tensor, rows: int) -> torch.Tensor:
    """[R, ...] -> [R*B, ...]: each member's own, for each of its rows."""
    return x.repeat_interleave(rows // x.shape[0], dim=0)


def _compute_mpnet_bias(encoder: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """MPNet's position bias, [R*B, heads, T, T], from an embedding of buckets [T, T]."""
    table = encoder.relative_attention_bias.weight  # [R, buckets, heads], or of all members [buckets, heads]
    if table.dim() == 2:
        shared: torch.Tensor = type(encoder).compute_position_bias(encoder, x, *args, **kwargs)
        return shared
    members, buckets, heads = table.shape
    side_by_side = table.transpose(0, 1).reshape(buckets, members * heads)
    # The family's code runs on an object with one wide table that holds all members' heads side by side.
    stand_in: Any = _StandIn(
        relative_position_bucket=encoder.relative_position_bucket,
        relative_attention_bias=lambda ids: nn.functional.embedding(ids, side_by_side),
    )
    bias = type(encoder).compute_position_bias(stand_in, x[:1], *args, **kwargs)  # [1, R*heads, T, T]
    return repeat_for_rows(bias.view(members, heads, *bias.shape[-2:]), x.shape[0])


def _compute_deberta_bias(
    attention: Any, query: torch.Tensor, key: torch.Tensor, positions: Any, table: torch.Tensor, factor: int
) -> Any:
    """DeBERTa's disentangled attention, from relative embeddings `table` [R, 2 spans, D]."""
    heads = attention.num_attention_heads
    rows = query.shape[0] // heads

    def transpose_for_scores(x: torch.Tensor, _: int) -> torch.Tensor:
        split = x.view(*x.shape[:2], heads, -1).transpose(1, 2)  # [R, heads, 2 spans, D / heads]
        return repeat_for_rows(split, rows).flatten(0, 1)

    stand_in: Any = _StandIn(**_get_plain_attributes(attention), transpose_for_scores=transpose_for_scores)
    # All rows are there already: the family repeats what it has for query rows // heads, which is 1 now.
    stand_in.num_attention_heads = query.shape[0]
    for name in ("query_proj", "key_proj", "pos_key_proj", "pos_query_proj"):
        if hasattr(attention, name):
            setattr(stand_in, name, _apply_by_member(getattr(attention, name)))
    return type(attention).disentangled_attention_bias(
        stand_in, query, key, positions, table.transpose(0, 1), factor
    )


def _apply_by_member(layer: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """The family hands over [1, 2 spans, R, D]; the layer wants rows grouped by member."""
    return lambda x: layer(x.squeeze(0).transpose(0, 1))


def _get_plain_attributes(module: Any) -> dict[str, Any]:
    """The module's plain values."""
    return {k: v for k, v in vars(module).items() if isinstance(v, bool | int | str | list | tuple)}


_STACKED_METHODS: dict[str, dict[str, Callable[..., Any]]] = {
    "MPNetEncoder": {"compute_position_bias": _compute_mpnet_bias},
    "DisentangledSelfAttention": {"disentangled_attention_bias": _compute_deberta_bias},
}
