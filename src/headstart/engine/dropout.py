"""Dropout whose masks are a pure function of (run seed, step, site), for any model; leaves evaluation alone.

Inside `KeyedDropout` every `F.dropout` and every dropout within `scaled_dot_product_attention` draws its
mask from a stream of its own, named by the member's seed, the step and the site, a site
being the order of the call within a forward pass. So a run drops the same numbers alone, beside others and
after a restart. Thresholds have 16 bits: the dropped share is within 1e-5 of p.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from headstart.errors import StackError
from headstart.seeds import derive, raw_16_bit

_LEVELS = 1 << 16


@dataclass(frozen=True)
class Draw:
    """What one member's masks are a function of: its seed, the forward passes with gradient that it has made
    before, and the shape [rows, tokens] of its own part of the batch, before the pack pads it."""

    seed: int
    step: int
    rows: int
    tokens: int


#: The forward passes that are under way, the innermost last.
_active: list[KeyedDropout] = []


def recompute_contexts() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """For `torch.utils.checkpoint`: the contexts of a part's forward pass, and of its repetition."""
    return nullcontext(), _active[-1].again() if _active else nullcontext()


class KeyedDropout(TorchFunctionMode):
    """Context of one forward pass: replaces what torch would draw for dropout by keyed masks.

    The leading dimension of whatever is dropped out holds rows grouped by member, [R*B, ...], or is the
    members', [R, ...]. What the pack pads, rows up to B and tokens up to T, is dropped and costs no number:
    so a member's own texts meet the same masks beside any others.

    Args:
        draws: the R members'.
        rows: B, rows of each member in this pass.
        tokens: T.
    """

    def __init__(self, draws: Sequence[Draw], rows: int, tokens: int) -> None:
        super().__init__()
        self._draws, self._rows, self._tokens = draws, rows, tokens
        self._keys = [derive(draw.seed, "dropout") for draw in draws]
        self._site = 0
        self._masked_with: tuple[torch.Tensor, int] | None = None
        self._bias: tuple[torch.Tensor, torch.Tensor | None]

    def __enter__(self) -> KeyedDropout:
        _active.append(self)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        _active.pop()

    def again(self) -> KeyedDropout:
        """A context for repeating what the forward pass computes from here on: same masks."""
        other = KeyedDropout(self._draws, self._rows, self._tokens)
        other._site = self._site
        return other

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
            weights = self._softmax(scores, attn_mask, is_causal)
        if dropout_p >= 1:
            return (weights * 0) @ value
        # Scaled by 1 / (1 - p) where it costs T x D numbers, not T x T.
        kept = _Masked.apply(weights, self._mask(weights, dropout_p), 1.0)  # type: ignore[no-untyped-call]
        return kept @ (value * (1 / (1 - dropout_p)))  # type: ignore[no-any-return]

    def _softmax(self, scores: torch.Tensor, mask: torch.Tensor | None, is_causal: bool) -> torch.Tensor:
        """Softmax of attention scores [..., L, S], which it overwrites, under a mask as torch takes it.

        A row of which nothing is kept, such as padding in a local window, gives zeros, as torch's kernels do.
        """
        if is_causal:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is None:
            return torch.softmax(scores, dim=-1)
        bias, empty = self._bias_of(mask, scores.dtype)
        weights = torch.softmax(scores.add_(bias), dim=-1)
        return weights if empty is None else weights.masked_fill(empty, 0)

    def _bias_of(self, mask: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
        """`_bias` of the mask, which all layers of a model often share: made once then."""
        last, version = self._masked_with or (None, 0)
        if mask is not last or mask._version != version:
            self._masked_with, self._bias = (mask, mask._version), _bias(mask, dtype)
        return self._bias

    def _mask(self, like: torch.Tensor, p: float) -> torch.Tensor:
        """All bits for what stays, none for what is dropped: `like`'s shape, integers of its dtype's size."""
        threshold, site = round(p * _LEVELS), self._site
        self._site += 1
        whole = (like.shape[0] // len(self._draws), *like.shape[1:])
        parts = []
        for key, draw in zip(self._keys, self._draws, strict=True):
            own = self._own_shape(like.shape, draw)
            kept = raw_16_bit(key, (site, draw.step, 0), math.prod(own)) >= threshold
            parts.append(_padded(kept.reshape(own), whole))
        mask = parts[0] if len(parts) == 1 else np.concatenate(parts)
        bits = np.negative(mask.view(np.int8), dtype=f"i{like.element_size()}")
        return torch.from_numpy(bits).view(like.shape).to(like.device)

    def _own_shape(self, shape: torch.Size, draw: Draw) -> tuple[int, ...]:
        """The shape that a tensor of `shape` has when the member is alone."""
        members, per_row = len(self._draws), shape[0] / (len(self._draws) * self._rows)
        if members == 1 and (draw.rows, draw.tokens) == (self._rows, self._tokens):
            return tuple(shape)
        if per_row.is_integer():
            own = [int(per_row) * draw.rows, *shape[1:]]
            for dimension in _token_dimensions(shape, int(per_row), self._tokens):
                own[dimension] = draw.tokens
            return tuple(own)
        if shape[0] == members:
            return tuple(shape[1:])
        raise StackError(
            f"dropout over a tensor of shape {tuple(shape)}; {members} members have {self._rows} rows each",
            expected="rows grouped by member in the first dimension",
        )


def _token_dimensions(shape: torch.Size, per_row: int, tokens: int) -> tuple[int, ...]:
    """Which dimensions are tokens': two of attention weights [rows, (heads,) T, T], else the second."""
    is_attention = len(shape) == 4 or (len(shape) == 3 and per_row > 1)
    if is_attention and shape[-1] == shape[-2] == tokens:
        return (len(shape) - 2, len(shape) - 1)
    return (1,) if len(shape) > 2 and shape[1] == tokens else ()


def _padded(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`mask` in the first corner of zeros of `shape`, its members' own where shapes have no rows."""
    if math.prod(shape) == mask.size:
        return mask.reshape(shape)
    whole = np.zeros(shape, bool)
    whole[tuple(map(slice, mask.shape))] = mask
    return whole


def _bias(mask: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What to add to scores for a boolean (True is kept) or additive mask, and its rows of nothing, if any.

    Such a row adds zeros: a softmax over nothing but -inf is not a number.
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


class _Masked(torch.autograd.Function):
    """x where the mask has bits, else 0, times scale; its gradient from the same mask.

    The numbers' own bits are masked: torch turns booleans into floats slower than they are drawn.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        # The scale is applied by itself: 1 / 0.9 rounded to bfloat16 first would shift every number by 0.2%.
        return _scaled(_masked(x, mask), scale)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return _scaled(_masked(grad, mask), ctx.scale), None, None


def _masked(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return x.view(mask.dtype).bitwise_and(mask).view(x.dtype)


def _scaled(x: torch.Tensor, scale: float) -> torch.Tensor:
    return x if scale == 1 else x.mul_(scale)
