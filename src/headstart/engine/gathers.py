"""Gathers along the last dimension by an index that all rows share; their gradients have one order of sums.

DeBERTa's attention gathers so. Torch adds such a gradient up in any order on a GPU, and in one order six
times as slowly (an NVIDIA H100, torch 2.11), by sorting what here is known to be the same for all rows.

Shapes: N rows, L places, S chosen of K each.
"""

from __future__ import annotations

from typing import Any, Final

import torch

#: Numbers of a table of which place chose what, at once.
_MOST_CHOSEN: Final = 1 << 26


def shares_index(x: torch.Tensor, dim: int, index: torch.Tensor) -> bool:
    """Whether `x.gather(dim, index)` gathers [N, L, S] of [N, L, K] by one index for all N."""
    is_last = x.dim() == index.dim() == 3 and dim in (-1, 2)
    return is_last and index.stride(0) == 0 and index.shape[:2] == x.shape[:2]


def gather_shared(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """What an index [L, S] that all rows share chooses of x [N, L, K]: [N, L, S]."""
    chosen: torch.Tensor = _SharedGather.apply(x, index)  # type: ignore[no-untyped-call]
    return chosen


class _SharedGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(index)
        ctx.width = x.shape[-1]
        return x.gather(-1, index.expand(len(x), -1, -1))

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Products with a table of ones where S chose K, some places at a time."""
        (index,) = ctx.saved_tensors
        at_once = max(1, _MOST_CHOSEN // (index.shape[1] * ctx.width))
        parts = zip(torch.split(grad, at_once, dim=1), torch.split(index, at_once), strict=True)
        return torch.cat([_spread(part, chosen, ctx.width) for part, chosen in parts], dim=1), None


def _spread(grad: torch.Tensor, index: torch.Tensor, width: int) -> torch.Tensor:
    """[N, L, S] to [N, L, K]."""
    ones = grad.new_zeros(*index.shape, width).scatter_(2, index.unsqueeze(-1), 1)
    return torch.bmm(grad.transpose(0, 1), ones).transpose(0, 1)
