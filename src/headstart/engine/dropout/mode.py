"""Puts keyed masks into every dropout of a forward pass, whatever the model; leaves evaluation alone.

Inside `KeyedDropout` every `F.dropout` and every dropout within `scaled_dot_product_attention` takes its
mask from a stream of its own, named by the member's seed, the step and the site, which is the order of the
call within a forward pass. So a run drops the same numbers alone, beside others and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from headstart.engine.dropout.host_masks import DropoutKey, HostMasks

#: The forward passes that are under way, the innermost last.
_active: list[KeyedDropout] = []


def create_recompute_contexts() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """For `torch.utils.checkpoint`: the contexts of a part's forward pass, and of its repetition."""
    return nullcontext(), _active[-1].replay() if _active else nullcontext()


class KeyedDropout(TorchFunctionMode):
    """Context of one forward pass: replaces what torch would draw for dropout by keyed masks.

    The leading dimension of whatever is dropped out holds rows grouped by member, [R*B, ...], or is the
    members', [R, ...].

    Args:
        keys: the R members'.
        rows: B, rows of each member in this pass, with what the pack pads.
        tokens: T, likewise.
    """

    def __init__(self, keys: Sequence[DropoutKey], rows: int, tokens: int) -> None:
        super().__init__()
        self._shape = keys, rows, tokens
        self._masks = HostMasks(keys, rows, tokens)
        self._site = 0
        self._cached_mask: tuple[torch.Tensor, int] | None = None
        self._bias: tuple[torch.Tensor, torch.Tensor | None]

    def __enter__(self) -> KeyedDropout:
        _active.append(self)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        _active.pop()

    def replay(self) -> KeyedDropout:
        """A context for repeating what the forward pass computes from here on: same masks."""
        other = KeyedDropout(*self._shape)
        other._site = self._site
        return other

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            return self._apply_dropout(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return self._compute_attention(*args, **kwargs)
        return func(*args, **kwargs)

    def _apply_dropout(
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
        return _ApplyMask.apply(input, self._draw_mask(input, p), 1 / (1 - p))  # type: ignore[no-any-return,no-untyped-call]

    def _compute_attention(
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
            weights = self._compute_softmax(scores, attn_mask, is_causal)
        if dropout_p >= 1:
            return (weights * 0) @ value
        # Scaled by 1 / (1 - p) where it costs T x D numbers, not T x T.
        kept = _ApplyMask.apply(weights, self._draw_mask(weights, dropout_p), 1.0)  # type: ignore[no-untyped-call]
        return kept @ (value * (1 / (1 - dropout_p)))  # type: ignore[no-any-return]

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

    def _draw_mask(self, like: torch.Tensor, p: float) -> torch.Tensor:
        """The mask of this call: all bits for what stays, none for what is dropped."""
        site = self._site
        self._site += 1
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
