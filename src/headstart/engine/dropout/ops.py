"""Dropout, and attention's softmax with it, as operators of torch that compute their masks and store none.

`drop_out` and `drop_attention` take the members' keys and pass numbers as tensors on the device, so that what
was captured or compiled once reads new ones. On a CPU they are plain steps over the reference's masks; on a
GPU they are the kernels. Nothing in them waits for the device, and torch traces them as one node each.
"""

from __future__ import annotations

from typing import Any

import torch

from headstart.engine.dropout.philox import find_kept


@torch.library.custom_op("headstart::drop_out", mutates_args=(), device_types="cpu")
def drop_out(x: torch.Tensor, keys: torch.Tensor, passes: torch.Tensor, site: int, p: float) -> torch.Tensor:
    """x where it stays, times 1 / (1 - p), else 0; contiguous.

    Args:
        x: rows grouped by member, [R*B, ...], or [R, ...].
        keys: `derive_keys` of the members, int64 [R].
        passes: the forward passes with gradient that each member made before, int64 [R].
        site: the number of the call within the forward pass.
        p: the share that is dropped, above 0 and below 1.
    """
    return _drop_by_reference(x.contiguous(), keys, passes, site, p)


@drop_out.register_kernel("cuda")
def _drop_out_on_gpu(*inputs: Any) -> torch.Tensor:
    from headstart.engine.dropout.kernels import launch_drop_out

    return launch_drop_out(*inputs)


@drop_out.register_fake
def _shape_drop_out(x: torch.Tensor, *_: Any) -> torch.Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _remember_call(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    _, keys, passes, ctx.site, ctx.p = inputs
    ctx.save_for_backward(keys, passes)


def _drop_gradient(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    keys, passes = ctx.saved_tensors
    return drop_out(grad, keys, passes, ctx.site, ctx.p), None, None, None, None


drop_out.register_autograd(_drop_gradient, setup_context=_remember_call)


@torch.library.custom_op("headstart::drop_attention", mutates_args=(), device_types="cpu")
def drop_attention(
    scores: torch.Tensor,
    mask: torch.Tensor | None,
    keys: torch.Tensor,
    passes: torch.Tensor,
    site: int,
    p: float,
    scale: float,
    causal: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention weights softmax(scores * scale + mask), and what is left of them, times 1 / (1 - p).

    The weights themselves are there for the backward pass: no gradient comes through them, nor to the mask. A
    row of which nothing may be seen gives zeros, as torch's kernels do.

    Args:
        scores: [N, H, L, S], rows N grouped by member.
        mask: boolean (True is seen) or added, of a shape that broadcasts to the scores', or None.
        keys: `derive_keys` of the members, int64 [R].
        passes: the forward passes with gradient that each member made before, int64 [R].
        site: the number of the call within the forward pass.
        p: the share that is dropped, above 0 and below 1.
        scale: what scores are multiplied by.
        causal: a query sees no key behind its own place.
    """
    wide = scores.to(_choose_sum_dtype(scores)) * scale
    if mask is not None:
        wide = wide.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else wide + mask.to(wide.dtype)
    if causal:
        wide = wide.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    empty = (wide == -torch.inf).all(-1, keepdim=True)
    weights = torch.softmax(wide, dim=-1).masked_fill(empty, 0)
    dropped = _drop_by_reference(weights, keys, passes, site, p)
    return weights.to(scores.dtype).contiguous(), dropped.to(scores.dtype).contiguous()


@drop_attention.register_kernel("cuda")
def _drop_attention_on_gpu(*inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    from headstart.engine.dropout.kernels import launch_attention

    return launch_attention(*inputs)


@drop_attention.register_fake
def _shape_drop_attention(scores: torch.Tensor, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    weights = torch.empty_like(scores, memory_format=torch.contiguous_format)
    return weights, torch.empty_like(weights)


@torch.library.custom_op("headstart::drop_attention_backward", mutates_args=(), device_types="cpu")
def drop_attention_backward(
    grad: torch.Tensor,
    weights: torch.Tensor,
    keys: torch.Tensor,
    passes: torch.Tensor,
    site: int,
    p: float,
    scale: float,
) -> torch.Tensor:
    """The gradient of the scores, from that of the dropped weights and from the weights themselves."""
    wide = weights.to(_choose_sum_dtype(weights))
    inner = _drop_by_reference(grad.to(wide.dtype), keys, passes, site, p)
    scores = wide * (inner - (inner * wide).sum(-1, keepdim=True)) * scale
    return scores.to(weights.dtype).contiguous()


@drop_attention_backward.register_kernel("cuda")
def _drop_attention_backward_on_gpu(*inputs: Any) -> torch.Tensor:
    from headstart.engine.dropout.kernels import launch_attention_backward

    return launch_attention_backward(*inputs)


@drop_attention_backward.register_fake
def _shape_drop_attention_backward(grad: torch.Tensor, weights: torch.Tensor, *_: Any) -> torch.Tensor:
    return torch.empty_like(weights, memory_format=torch.contiguous_format)


def _remember_attention(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, _, keys, passes, ctx.site, ctx.p, ctx.scale, _ = inputs
    ctx.save_for_backward(output[0], keys, passes)
    ctx.mark_non_differentiable(output[0])
    # Else zeros as large as the weights are made for the gradient that never comes.
    ctx.set_materialize_grads(False)


def _compute_scores_gradient(ctx: Any, _: None, grad: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
    if grad is None:
        return (None,) * 8
    weights, keys, passes = ctx.saved_tensors
    scores = drop_attention_backward(grad, weights, keys, passes, ctx.site, ctx.p, ctx.scale)
    return scores, None, None, None, None, None, None, None


drop_attention.register_autograd(_compute_scores_gradient, setup_context=_remember_attention)


def _choose_sum_dtype(x: torch.Tensor) -> torch.dtype:
    """What sums over a row of x are kept in."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _drop_by_reference(
    x: torch.Tensor, keys: torch.Tensor, passes: torch.Tensor, site: int, p: float
) -> torch.Tensor:
    kept = torch.from_numpy(find_kept(x.shape, keys.numpy(), passes.numpy(), site, p))
    # The scale is applied by itself: 1 / 0.9 rounded to bfloat16 first would shift every number by 0.2%.
    return torch.where(kept, x * (1 / (1 - p)), 0)
