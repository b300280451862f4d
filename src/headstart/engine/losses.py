"""Losses that tasks share, never reduced: whoever sums decides the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import torch
import torch.nn.functional as F

#: Numbers in a wide format that are there at once while the losses of a large vocabulary are computed.
_MOST_WIDE: Final = 1 << 26

_fixed_shapes: ContextVar[bool] = ContextVar("fixed_shapes", default=False)


@contextmanager
def fix_shapes() -> Iterator[None]:
    """Have losses compute in shapes that no number decides, as a device needs that nobody waits for."""
    token = _fixed_shapes.set(True)
    try:
        yield
    finally:
        _fixed_shapes.reset(token)


def upcast_logits(logits: torch.Tensor) -> torch.Tensor:
    """Logits in float32 at least."""
    return logits if logits.dtype == torch.float64 else logits.float()


def compute_token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of each token, [n, T], zero where no target is: logits [n, T, V], targets [n, T].

    Logits in a wider format only where there is a target, or a part of them at a time: a large vocabulary's
    fill the memory.
    """
    if _fixed_shapes.get():
        losses: torch.Tensor = _TokenCrossEntropy.apply(logits.flatten(0, 1), targets.flatten())  # type: ignore[no-untyped-call]
        return losses.view(targets.shape)
    has_target = targets >= 0
    chosen = upcast_logits(logits[has_target])
    losses = torch.zeros(targets.shape, dtype=chosen.dtype, device=logits.device)
    return losses.masked_scatter(has_target, F.cross_entropy(chosen, targets[has_target], reduction="none"))


class _TokenCrossEntropy(torch.autograd.Function):
    """Cross-entropy of n tokens, [n, V] with targets [n], zero where none is.

    Of the forward pass it keeps the logits as they came and a number a token.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        sums = torch.cat([upcast_logits(part).logsumexp(-1) for part in _split_tokens(logits, logits)])
        own = logits.gather(1, targets.clamp(min=0).unsqueeze(1)).squeeze(1)
        ctx.save_for_backward(logits, targets, sums)
        return torch.where(targets >= 0, sums - upcast_logits(own), 0)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Of each token: what the softmax gives every word, less one for the target, times `grad`."""
        logits, targets, sums = ctx.saved_tensors
        grad = torch.where(targets >= 0, grad, 0).unsqueeze(1)
        result = torch.empty_like(logits)
        parts = [_split_tokens(each, logits) for each in (logits, targets, sums, grad, result)]
        for part, target, log_sum, factor, out in zip(*parts, strict=True):
            share = (upcast_logits(part) - log_sum.unsqueeze(1)).exp_() * factor
            out.copy_(share.scatter_add_(1, target.clamp(min=0).unsqueeze(1), -factor))
        return result, None


def _split_tokens(values: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Anything with a leading dimension of tokens, in parts of as many as may be in a wide format at once."""
    return torch.split(values, max(1, _MOST_WIDE // logits.shape[-1]))
