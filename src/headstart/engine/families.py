"""The few families that use a layer's weights past its forward method, and how each is told of members.

Relative positions are the same for all rows of a batch, so these models compute with them once, without
rows; stacked, they are computed once a member and repeated for its rows. The arithmetic stays the family's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType, SimpleNamespace
from typing import Any

import torch
from torch import nn


def adapt(model: nn.Module) -> None:
    """Teach the modules of a stacked model that need it, in place."""
    for module in model.modules():
        for method, stacked in _METHODS.get(type(module).__name__, {}).items():
            # Bound, not closed over: a copy of the model then has methods of its own.
            setattr(module, method, MethodType(stacked, module))


def release(model: nn.Module) -> None:
    """Take away what `adapt` taught."""
    for module in model.modules():
        for method in _METHODS.get(type(module).__name__, ()):
            vars(module).pop(method, None)


def obstacle(model: nn.Module) -> str | None:
    """Why a model of these families cannot be stacked as it is frozen, or None."""
    for module in model.modules():
        table = getattr(module, "rel_embeddings", None)
        if table is not None and not table.weight.requires_grad:
            return (
                "its frozen relative positions are one tensor for all rows, which dropout must draw for each"
            )
    return None


def teach_positions(model: nn.Module) -> None:
    """Have a BLOOM, plain or stacked, take `position_ids` that begin anew with each text of a row, in place.

    Its ALiBi adds slope * key position to scores, which within one text differs from its own by a constant
    alone (Press et al. 2022, section 3): so all that texts need is not to see each other.
    """
    for whole in [m for m in model.modules() if type(m).__name__ == "BloomForCausalLM"]:
        held: list[torch.Tensor | None] = [None]
        # Set on the object: PEFT calls `forward` past a module's hooks.
        setattr(whole, "forward", partial(_with_positions, held, whole.forward))  # noqa: B010 - mypy knows a method
        blocks: Any = whole.transformer.h  # type: ignore[union-attr]
        for block in blocks:
            block.register_forward_pre_hook(partial(_hand_over, held), with_kwargs=True)


def _with_positions(
    held: list[torch.Tensor | None], forward: Any, *inputs: Any, position_ids: Any = None, **more: Any
) -> Any:
    held[0] = None if position_ids is None else _own_text(position_ids)
    return forward(*inputs, **more)


def _hand_over(held: list[torch.Tensor | None], _: nn.Module, inputs: Any, more: dict[str, Any]) -> Any:
    same = held[0]
    if same is None:
        return None
    kind = inputs[0].dtype
    mask = torch.zeros(same.shape, dtype=kind, device=same.device)
    return inputs, more | {"attention_mask": mask.masked_fill_(~same, torch.finfo(kind).min)}


def _own_text(positions: torch.Tensor) -> torch.Tensor:
    """Which earlier tokens [rows, 1, T, T] are of the same text, for positions [rows, T]."""
    text = (positions == 0).cumsum(-1)
    same = text[:, None, :, None] == text[:, None, None, :]
    return same & torch.ones(same.shape[-2:], dtype=torch.bool, device=same.device).tril()


def repeat_for_rows(x: torch.Tensor, rows: int) -> torch.Tensor:
    """[R, ...] -> [R*B, ...]: each member's own, for each of its rows."""
    return x.repeat_interleave(rows // x.shape[0], dim=0)


def _mpnet_bias(encoder: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """MPNet's position bias, [R*B, heads, T, T], from an embedding of buckets [T, T]."""
    table = encoder.relative_attention_bias.weight  # [R, buckets, heads], or of all members [buckets, heads]
    if table.dim() == 2:
        shared: torch.Tensor = type(encoder).compute_position_bias(encoder, x, *args, **kwargs)
        return shared
    members, buckets, heads = table.shape
    side_by_side = table.transpose(0, 1).reshape(buckets, members * heads)
    one = SimpleNamespace(
        relative_position_bucket=encoder.relative_position_bucket,
        relative_attention_bias=lambda ids: nn.functional.embedding(ids, side_by_side),
    )
    bias = type(encoder).compute_position_bias(one, x[:1], *args, **kwargs)  # [1, R*heads, T, T]
    return repeat_for_rows(bias.view(members, heads, *bias.shape[-2:]), x.shape[0])


def _deberta_bias(
    attention: Any, query: torch.Tensor, key: torch.Tensor, positions: Any, table: torch.Tensor, factor: int
) -> Any:
    """DeBERTa's disentangled attention, from relative embeddings `table` [R, 2 spans, D]."""
    heads = attention.num_attention_heads
    rows = query.shape[0] // heads

    def transpose_for_scores(x: torch.Tensor, _: int) -> torch.Tensor:
        split = x.view(*x.shape[:2], heads, -1).transpose(1, 2)  # [R, heads, 2 spans, D / heads]
        return repeat_for_rows(split, rows).flatten(0, 1)

    one = SimpleNamespace(**_settings(attention), transpose_for_scores=transpose_for_scores)
    # All rows are there already: the family repeats what it has for query rows // heads, which is 1 now.
    one.num_attention_heads = query.shape[0]
    for name in ("query_proj", "key_proj", "pos_key_proj", "pos_query_proj"):
        if hasattr(attention, name):
            setattr(one, name, _of_members(getattr(attention, name)))
    return type(attention).disentangled_attention_bias(
        one, query, key, positions, table.transpose(0, 1), factor
    )


def _of_members(layer: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """The family hands over [1, 2 spans, R, D]; the layer wants rows grouped by member."""
    return lambda x: layer(x.squeeze(0).transpose(0, 1))


def _settings(module: Any) -> dict[str, Any]:
    """The module's plain values."""
    return {k: v for k, v in vars(module).items() if isinstance(v, bool | int | str | list | tuple)}


_METHODS: dict[str, dict[str, Callable[..., Any]]] = {
    "MPNetEncoder": {"compute_position_bias": _mpnet_bias},
    "DisentangledSelfAttention": {"disentangled_attention_bias": _deberta_bias},
}
