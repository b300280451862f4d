"""Dropout on a GPU in Triton, and attention's softmax with it: masks by place, as `find_kept` has them.

Imported where a GPU is used: Triton is no dependency of headstart, and comes with torch for CUDA. A block of
rows is of one member, whose key and pass it reads from the device. Masked attention is one pass over the
scores each way: a row is in one block, however long. Block sizes are powers of two, so that texts of all
lengths need few kernels. With TRITON_INTERPRET=1 all of it runs on a CPU, slowly.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# A kernel is Python in form alone: its arguments are pointers and numbers of Triton's types.

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from headstart.engine.dropout.philox import LEVELS, NUMBERS, SITES, split_places

#: Counters of a block of `_drop_kernel`; numbers of a block of the attention's kernels, if no row has more.
_COUNTERS, _BLOCK = 256, 2048
_SITES = tl.constexpr(SITES)
#: A row of attention weights fills at least this many places of its block.
_LEAST = 64

# --- Kernels -----------------------------------------------------------------------------------------------


@triton.jit
def _find_kept(keys, passes, member, c0, c1, c2, site, threshold):
    """Which of eight elements stay for each counter, [..., 2, 2, 2]; c0, c1 and c2 are of one shape."""
    c3 = (tl.load(passes + member) * _SITES + site).to(tl.uint32) + tl.zeros_like(c0)
    r0, r1, r2, r3 = tl.philox(tl.load(keys + member), c0, c1, c2, c3)
    # Joined so that in memory's order they are r0, r1, r2, r3.
    words = tl.join(tl.join(r0, r2), tl.join(r1, r3))
    return tl.join(words & 0xFFFF, words >> 16) >= threshold


@triton.jit(do_not_specialize=["rows", "before", "site", "threshold"])
def _drop_kernel(
    x,
    out,
    keys,
    passes,
    rows,
    before,
    last,
    site,
    threshold,
    factor: tl.constexpr,
    sum_type: tl.constexpr,
    block_counters: tl.constexpr,
):
    """A member's part is `rows` x `last`; a block is so many counters of it, one after the other."""
    member = tl.program_id(1).to(tl.int64)
    in_row = tl.cdiv(last, 8)
    counter = tl.program_id(0) * block_counters + tl.arange(0, block_counters)
    row, c0 = counter // in_row, counter % in_row
    c1, c2 = row % before, row // before
    kept = _find_kept(
        keys, passes, member, c0.to(tl.uint32), c1.to(tl.uint32), c2.to(tl.uint32), site, threshold
    )
    kept = tl.reshape(kept, [block_counters, 8])
    column = c0[:, None] * 8 + tl.arange(0, 8)[None, :]
    place = (member * rows + row)[:, None] * last + column
    inside = (row < rows)[:, None] & (column < last)
    value = tl.load(x + place, inside, 0.0).to(sum_type) * factor
    tl.store(out + place, tl.where(kept, value, 0.0), inside)


@triton.jit
def _locate_block(rows, columns, block_rows: tl.constexpr, block: tl.constexpr):
    """A program's block of attention weights: member, rows, columns, what is inside, and where it lies."""
    member = tl.program_id(1).to(tl.int64)
    row, column = tl.program_id(0) * block_rows + tl.arange(0, block_rows), tl.arange(0, block)
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    return member, row, column, inside, (member * rows + row)[:, None] * columns + column[None, :]


@triton.jit
def _find_kept_weights(
    keys, passes, member, row, queries, site, threshold, block_rows: tl.constexpr, block: tl.constexpr
):
    """Which weights of a member's `row`s [block_rows] stay, [block_rows, block]."""
    zeros = tl.zeros([block_rows, block // 8], tl.uint32)
    c0 = tl.arange(0, block // 8).to(tl.uint32)[None, :] + zeros
    c1 = (row % queries).to(tl.uint32)[:, None] + zeros
    c2 = (row // queries).to(tl.uint32)[:, None] + zeros
    kept = _find_kept(keys, passes, member, c0, c1, c2, site, threshold)
    return tl.reshape(kept, [block_rows, block])


@triton.jit(
    do_not_specialize=["rows", "heads", "queries", "stride_n", "stride_h", "stride_l", "site", "threshold"]
)
def _attention_kernel(
    scores,
    mask,
    weights,
    dropped,
    keys,
    passes,
    rows,
    heads,
    queries,
    columns,
    stride_n,
    stride_h,
    stride_l,
    stride_s,
    site,
    threshold,
    scale: tl.constexpr,
    factor: tl.constexpr,
    kind: tl.constexpr,
    causal: tl.constexpr,
    sum_type: tl.constexpr,
    block_rows: tl.constexpr,
    block: tl.constexpr,
):
    """A member's part is `rows` (texts x heads x queries) x `columns`; a block is block_rows of them."""
    member, row, column, inside, place = _locate_block(rows, columns, block_rows, block)
    value = tl.load(scores + place, inside, 0.0).to(sum_type) * scale
    query, head = row % queries, row // queries % heads
    text = member * (rows // (heads * queries)) + row // (queries * heads)
    at = (text * stride_n + head.to(tl.int64) * stride_h + query.to(tl.int64) * stride_l)[:, None]
    at += column.to(tl.int64)[None, :] * stride_s
    seen = inside
    if kind == "boolean":
        seen = seen & (tl.load(mask + at, inside, 0) != 0)
    if kind == "added":
        value += tl.load(mask + at, inside, 0.0).to(sum_type)
    if causal:
        seen = seen & (column[None, :] <= query[:, None])
    value = tl.where(seen, value, float("-inf"))
    largest = tl.max(value, 1)
    # In a row of nothing it is -inf, and -inf less -inf is not a number.
    power = tl.exp(value - tl.where(largest == float("-inf"), 0.0, largest)[:, None])
    total = tl.sum(power, 1)
    weight = power / tl.where(total == 0.0, 1.0, total)[:, None]
    kept = _find_kept_weights(keys, passes, member, row, queries, site, threshold, block_rows, block)
    tl.store(weights + place, weight, inside)
    tl.store(dropped + place, tl.where(kept, weight * factor, 0.0), inside)


@triton.jit(do_not_specialize=["rows", "queries", "site", "threshold"])
def _attention_backward_kernel(
    grad,
    weights,
    out,
    keys,
    passes,
    rows,
    queries,
    columns,
    site,
    threshold,
    scale: tl.constexpr,
    factor: tl.constexpr,
    sum_type: tl.constexpr,
    block_rows: tl.constexpr,
    block: tl.constexpr,
):
    """The scores' gradient of `_attention_kernel`, block by block of the same rows."""
    member, row, _, inside, place = _locate_block(rows, columns, block_rows, block)
    kept = _find_kept_weights(keys, passes, member, row, queries, site, threshold, block_rows, block)
    inner = tl.where(kept, tl.load(grad + place, inside, 0.0).to(sum_type) * factor, 0.0)
    weight = tl.load(weights + place, inside, 0.0).to(sum_type)
    total = tl.sum(inner * weight, 1)
    tl.store(out + place, weight * (inner - total[:, None]) * scale, inside)


# --- What launches them ------------------------------------------------------------------------------------


def launch_drop_out(
    x: torch.Tensor, keys: torch.Tensor, passes: torch.Tensor, site: int, p: float
) -> torch.Tensor:
    """`ops.drop_out` by the kernel."""
    x = x.contiguous()
    out = torch.empty_like(x)
    rest, before, last = split_places(x.shape, len(keys))
    rows = rest * before
    grid = (triton.cdiv(rows * triton.cdiv(last, NUMBERS), _COUNTERS), len(keys))
    if x.numel():
        _drop_kernel[grid](
            x, out, keys, passes, rows, before, last, site, _get_threshold(p),
            factor=1 / (1 - p), sum_type=_choose_sum_type(x), block_counters=_COUNTERS,
        )  # fmt: skip
    return out


def launch_attention(
    scores: torch.Tensor,
    mask: torch.Tensor | None,
    keys: torch.Tensor,
    passes: torch.Tensor,
    site: int,
    p: float,
    scale: float,
    causal: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`ops.drop_attention` by the kernel."""
    scores = scores.contiguous()
    weights, dropped = torch.empty_like(scores), torch.empty_like(scores)
    _, heads, queries, columns = scores.shape
    strides = (0, 0, 0, 0) if mask is None else mask.expand(scores.shape).stride()
    kind = "none" if mask is None else "boolean" if mask.dtype == torch.bool else "added"
    grid, options = _choose_blocks(scores, len(keys))
    if scores.numel():
        _attention_kernel[grid](
            scores, mask, weights, dropped, keys, passes, scores.numel() // columns // len(keys),
            heads, queries, columns, *strides, site, _get_threshold(p),
            scale=scale, factor=1 / (1 - p), kind=kind, causal=causal, **options,
        )  # fmt: skip
    return weights, dropped


def launch_attention_backward(
    grad: torch.Tensor,
    weights: torch.Tensor,
    keys: torch.Tensor,
    passes: torch.Tensor,
    site: int,
    p: float,
    scale: float,
) -> torch.Tensor:
    """`ops.drop_attention_backward` by the kernel."""
    grad, weights = grad.contiguous(), weights.contiguous()
    out = torch.empty_like(weights)
    queries, columns = weights.shape[-2:]
    grid, options = _choose_blocks(weights, len(keys))
    if weights.numel():
        _attention_backward_kernel[grid](
            grad, weights, out, keys, passes, weights.numel() // columns // len(keys),
            queries, columns, site, _get_threshold(p), scale=scale, factor=1 / (1 - p), **options,
        )  # fmt: skip
    return out


def _choose_blocks(weights: torch.Tensor, members: int) -> tuple[tuple[int, int], dict[str, Any]]:
    """The grid of the attention's kernels, row blocks x members, and what they are compiled for."""
    rest, queries, columns = split_places(weights.shape, members)
    block = max(_LEAST, triton.next_power_of_2(columns))
    rows = max(1, _BLOCK // block)
    grid = triton.cdiv(rest * queries, rows), members
    warps = min(16, max(4, rows * block // 512))
    sum_type = _choose_sum_type(weights)
    return grid, {"block_rows": rows, "block": block, "sum_type": sum_type, "num_warps": warps}


def _choose_sum_type(x: torch.Tensor) -> Any:
    """What sums over a row of x are kept in."""
    return tl.float64 if x.dtype == torch.float64 else tl.float32


def _get_threshold(p: float) -> int:
    return round(p * LEVELS)
