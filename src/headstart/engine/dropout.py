"""Dropout whose masks are a pure function of (run seed, step, site), for any model; leaves evaluation alone.

Inside `KeyedDropout` every `F.dropout` and every dropout within `scaled_dot_product_attention` draws its
mask from Philox (Salmon et al. 2011), keyed by the member's seed and counted by step and site, a site
being the order of the call within a forward pass. So a run drops the same numbers alone, beside others and
after a restart. Thresholds have 16 bits: the dropped share is within 1e-5 of p.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from headstart.seeds import derive, raw_16_bit

_LEVELS = 1 << 16


class KeyedDropout(TorchFunctionMode):
    """Context of one forward pass: replaces what torch would draw for dropout by keyed masks.

    The leading dimension of whatever is dropped out holds rows grouped by member, [R*B, ...].

    Args:
        seeds: the run seed of each of the R members.
        step: the number of forward passes with gradient that the members have made before.
    """

    def __init__(self, seeds: Sequence[int], step: int) -> None:
        super().__init__()
        self._keys = [derive(seed, "dropout") for seed in seeds]
        self._step, self._site = step, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(
        self,
        input: torch.Tensor,  # noqa: A002 - named as torch names it: callers may pass it by keyword
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> torch.Tensor:
        """`F.dropout` with a keyed mask; `inplace` is taken as leave, not as order."""
        if not training or p == 0:
            return input
        if p >= 1:
            return input * 0
        return _Masked.apply(input, self._mask(input, p), 1 / (1 - p))  # type: ignore[no-any-return,no-untyped-call]

    def _attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        """softmax(q k' scale + mask) v with the weights dropped out; torch's own kernel where p is 0."""
        if dropout_p == 0:
            return F.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=attn_mask,
                is_causal=is_causal,
                scale=scale,
                enable_gqa=enable_gqa,
            )
        if enable_gqa:
            groups = query.size(-3) // key.size(-3)
            key, value = (x.repeat_interleave(groups, dim=-3) for x in (key, value))
        scale = query.size(-1) ** -0.5 if scale is None else scale
        scores = (query * scale) @ key.transpose(-2, -1)
        # Autocast would lift the softmax to float32 and bring its result down again; torch's bfloat16
        # softmax computes in float32 inside.
        with torch.autocast(query.device.type, enabled=False):
            weights = torch.softmax(_masked_scores(scores, attn_mask, is_causal), dim=-1)
        return self._dropout(weights, dropout_p) @ value

    def _mask(self, like: torch.Tensor, p: float) -> torch.Tensor:
        """Ones for what stays and zeros for what is dropped, in the shape and dtype of `like`."""
        threshold = round(p * _LEVELS)
        counter = (self._site, self._step, 0)
        self._site += 1
        each = like.numel() // len(self._keys)
        kept = np.concatenate([raw_16_bit(key, counter, each) for key in self._keys]) >= threshold
        return torch.from_numpy(kept).view(like.shape).to(like.device, like.dtype)


def _masked_scores(scores: torch.Tensor, mask: torch.Tensor | None, is_causal: bool) -> torch.Tensor:
    """Attention scores [..., L, S] with a boolean (True is kept) or additive mask applied."""
    if is_causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is None:
        return scores
    if mask.dtype == torch.bool:
        return scores.masked_fill(~mask, float("-inf"))
    return scores + mask.to(scores.dtype)


class _Masked(torch.autograd.Function):
    """x * mask * scale, its gradient from the same mask."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        # The scale is applied by itself: 1 / 0.9 rounded to bfloat16 first would shift every number by 0.2%.
        return x.mul(mask).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return grad.mul(mask).mul_(ctx.scale), None, None
