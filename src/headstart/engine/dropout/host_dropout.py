"""Dropout with masks that the host draws, each a stream of its own: for a CPU; a GPU would wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from headstart.engine.dropout.host_masks import DropoutKey, HostMasks
from headstart.engine.dropout.mode import Attention, KeyedDropout


class HostDropout(KeyedDropout):
    """Keyed dropout whose masks are drawn in bulk on the host.

    Args:
        keys: the R members'.
        rows: B, rows of each member in this pass, with what the pack pads.
        tokens: T, likewise.
    """

    def __init__(self, keys: Sequence[DropoutKey], rows: int, tokens: int) -> None:
        super().__init__()
        self._shape = keys, rows, tokens
        self._masks = HostMasks(keys, rows, tokens)
        self._cached_mask: tuple[torch.Tensor, int] | None = None
        self._bias: tuple[torch.Tensor, torch.Tensor | None]

    def copy(self) -> HostDropout:
        """Another context of the same masks."""
        return HostDropout(*self._shape)

    def drop_out(self, x: torch.Tensor, p: float, site: int) -> torch.Tensor:
        """x where the mask of this site has it stay, times 1 / (1 - p), else 0."""
        return _ApplyMask.apply(x, self._draw_mask(x, p, site), 1 / (1 - p))  # type: ignore[no-any-return,no-untyped-call]

    def attend(self, call: Attention, site: int) -> torch.Tensor:
        """softmax(q k' scale + mask) v with the weights dropped out."""
        groups = call.query.size(-3) // call.key.size(-3) if call.query.dim() > 3 else 1
        key, value = call.key, call.value
        if groups > 1:
            key, value = (x.repeat_interleave(groups, dim=-3) for x in (key, value))
        scores = (call.query * call.scale) @ key.transpose(-2, -1)
        # Autocast would lift the softmax to float32 and bring its result down again; torch's bfloat16
        # softmax computes in float32 inside.
        with torch.autocast(call.query.device.type, enabled=False):
            weights = self._compute_softmax(scores, call.mask, call.is_causal)
        # Scaled by 1 / (1 - p) where it costs T x D numbers, not T x T.
        kept = _ApplyMask.apply(weights, self._draw_mask(weights, call.p, site), 1.0)  # type: ignore[no-untyped-call]
        return kept @ (value * (1 / (1 - call.p)))  # type: ignore[no-any-return]

    def _compute_softmax(
        self, scores: torch.Tensor, mask: torch.Tensor | None, is_causal: bool
    ) -> torch.Tensor:
        """Softmax of attention scores [..., L, S], which it overwrites, under a mask as torch takes it.

        A row of which nothing is kept, such as padding in a local window, gives zeros, as torch's kernels do.
        """
        if is_causal:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is None:
            return torch.softmax(scores, dim=-1)
        bias, empty = self._get_bias(mask, scores.dtype)
        weights = torch.softmax(scores.add_(bias), dim=-1)
        return weights if empty is None else weights.masked_fill(empty, 0)

    def _get_bias(self, mask: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
        """`_make_attention_bias` of the mask, which all layers of a model often share: computed once then."""
        last, version = self._cached_mask or (None, 0)
        if mask is not last or mask._version != version:
            self._cached_mask, self._bias = (mask, mask._version), _make_attention_bias(mask, dtype)
        return self._bias

    def _draw_mask(self, like: torch.Tensor, p: float, site: int) -> torch.Tensor:
        """The mask of a site: all bits for what stays, none for what is dropped."""
        return self._masks.draw_mask(like, p, site)


def _make_attention_bias(mask: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What to add to scores for a boolean (True is kept) or additive mask, and its empty rows, if any.

    In an empty row nothing is kept. It adds zeros: a softmax over nothing but -inf is not a number.
    """
    if mask.dtype == torch.bool:
        empty = ~mask.any(-1, keepdim=True)
        bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, float("-inf"))
    else:
        empty = (mask == float("-inf")).all(-1, keepdim=True)
        bias = mask.to(dtype)
    if not empty.any():
        return bias, None
    return bias.masked_fill(empty, 0), empty


class _ApplyMask(torch.autograd.Function):
    """x where the mask has bits, else 0, times scale; its gradient from the same mask.

    The numbers' own bits are masked: torch turns booleans into floats slower than they are drawn.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        # The scale is applied by itself: 1 / 0.9 rounded to bfloat16 first would shift every number by 0.2%.
        return _scale_inplace(_apply_mask(x, mask), scale)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return _scale_inplace(_apply_mask(grad, mask), ctx.scale), None, None


def _apply_mask(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return x.view(mask.dtype).bitwise_and(mask).view(x.dtype)


def _scale_inplace(x: torch.Tensor, scale: float) -> torch.Tensor:
    return x if scale == 1 else x.mul_(scale)
