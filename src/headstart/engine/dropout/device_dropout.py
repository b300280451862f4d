"""Dropout with masks computed where the tensors are; nothing in it waits, so that a pass can be captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from headstart.engine.dropout.mode import Attention, KeyedDropout
from headstart.engine.dropout.ops import drop_attention, drop_out
from headstart.engine.dropout.philox import SITES
from headstart.engine.gradient_order import choose_ordered, order_gradient
from headstart.engine.host_numbers import choose_filling
from headstart.errors import StackError


class DeviceDropout(KeyedDropout):
    """Keyed dropout whose masks are computed from each element's place, once more for the backward pass.

    What was captured or compiled under it reads the tensors anew: change them in place, between passes.

    Args:
        keys: `derive_keys` of the R members, int64 [R], on the device.
        passes: the forward passes with gradient that each member made before, int64 [R], on the device. The
            caller sees to it that they stay below `philox.PASSES`.
    """

    def __init__(self, keys: torch.Tensor, passes: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.passes = keys, passes

    def copy(self) -> DeviceDropout:
        """Another context of the same masks."""
        return DeviceDropout(self.keys, self.passes)

    def drop_out(self, x: torch.Tensor, p: float, site: int) -> torch.Tensor:
        """x where the mask of this site has it stay, times 1 / (1 - p), else 0."""
        _check_site(site)
        dropped: torch.Tensor = drop_out(x, self.keys, self.passes, site, p)
        return dropped

    def attend(self, call: Attention, site: int) -> torch.Tensor:
        """softmax(q k' scale + mask) v with the weights dropped out."""
        _check_site(site)
        if call.query.dim() != 4:
            raise StackError(
                f"attention of queries of shape {tuple(call.query.shape)}",
                expected="[rows, heads, tokens, width]",
            )
        scores, mask, scale = _multiply_heads(call.query, call.key.transpose(-2, -1)), call.mask, call.scale
        if mask is not None and mask.requires_grad:  # a position bias that is learnt
            scores, mask, scale = torch.add(mask.to(scores.dtype), scores, alpha=scale), None, 1.0
        _, dropped = drop_attention(scores, mask, self.keys, self.passes, site, call.p, scale, call.is_causal)
        return _multiply_heads(dropped, call.value)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        func = choose_filling(func, self.keys.device)
        if torch.compiler.is_compiling():
            return super().__torch_function__(func, types, args, kwargs)
        output = super().__torch_function__(choose_ordered(func), types, args, kwargs)
        return order_gradient(output) if func is F.scaled_dot_product_attention else output


def _check_site(site: int) -> None:
    if site >= SITES:
        raise StackError(
            f"the model drops out at more than {SITES} places of a forward pass",
            expected=f"at most {SITES}: masks on a device are named by so many",
        )


def _multiply_heads(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x [N, H, L, A] times y [N, H / G, A, B], each head of which serves G of x's: [N, H, L, B]."""
    rows, heads, length, width = x.shape
    if heads == y.size(1):
        return x @ y
    grouped = x.reshape(rows, y.size(1), heads // y.size(1) * length, width)
    return (grouped @ y).view(rows, heads, length, y.size(-1))
