"""Puts keyed masks into every dropout of a forward pass, whatever the model; leaves evaluation alone.

Inside a `KeyedDropout` every `F.dropout` and every dropout within `scaled_dot_product_attention` has a mask
named by the member's seed, its forward pass and the site, which is the order of the call within the pass. So
a run drops the same numbers alone, beside others and after a restart. Where masks come from is the kind's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

#: The forward passes that are under way, the innermost last.
_active: list[KeyedDropout] = []


def create_recompute_contexts() -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """For `torch.utils.checkpoint`: the contexts of a part's forward pass, and of its repetition."""
    return nullcontext(), _active[-1].replay() if _active else nullcontext()


@dataclass(frozen=True)
class Attention:
    """One call of `F.scaled_dot_product_attention` with dropout: query [N, H, L, D], key and value
    [N, H / G, S, D], G queries' heads to one of theirs; a mask as torch takes it."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    is_causal: bool
    scale: float
    p: float


class KeyedDropout(TorchFunctionMode, ABC):
    """Context of one forward pass: replaces what torch would draw for dropout by keyed masks.

    The leading dimension of whatever is dropped out holds rows grouped by member, [R*B, ...], or is the
    members', [R, ...]. Entered again, it counts sites from the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._first_site = self._site = 0

    @abstractmethod
    def copy(self) -> Self:
        """Another context of the same masks."""

    @abstractmethod
    def drop_out(self, x: torch.Tensor, p: float, site: int) -> torch.Tensor:
        """x where the mask of this site has it stay, times 1 / (1 - p), else 0."""

    @abstractmethod
    def attend(self, call: Attention, site: int) -> torch.Tensor:
        """softmax(q k' scale + mask) v with the weights dropped out."""

    def __enter__(self) -> Self:
        self._site = self._first_site
        _active.append(self)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        _active.pop()

    def replay(self) -> KeyedDropout:
        """A context for repeating what the forward pass computes from here on: same masks."""
        other = self.copy()
        other._first_site = self._site
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
        return input * 0 if p >= 1 else self.drop_out(input, p, self._take_site())

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
        """`F.scaled_dot_product_attention`: torch's own kernel where nothing, or everything, is dropped."""
        if 0 < dropout_p < 1:
            scale = query.size(-1) ** -0.5 if scale is None else scale
            call = Attention(query, key, value, attn_mask, is_causal, scale, dropout_p)
            return self.attend(call, self._take_site())
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
        )
        return attended if dropout_p == 0 else attended * 0

    def _take_site(self) -> int:
        """The number of this call within the forward pass."""
        site = self._site
        self._site += 1
        return site
