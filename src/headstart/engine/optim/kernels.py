"""The AdamW update of R members as one kernel, which passes over memory once; computes no norms and no rates.

Imported where it is first used: triton is there with torch for GPUs alone. Shapes: R members, P trainable
weights of one member.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

#: Columns of one member that a program updates: eight for each thread, read as two loads of 16 bytes.
_BLOCK = 1024


def update_members(
    values: torch.Tensor,
    grads: torch.Tensor,
    exp_avg: torch.Tensor,
    exp_avg_sq: torch.Tensor,
    factors: torch.Tensor,
    border: int,
    narrow: torch.Tensor | None = None,
    start: int = 0,
) -> None:
    """Update weights and moments, [R, P] each, in place, and the copy of some columns in a narrower format.

    Args:
        factors: each member's numbers in the order of `batched.Factors`, [R, 9], in the weights' format. One
            whose first is 0 stays as it was.
        border: the first column that does not decay.
        narrow: the copy, [R, N], of columns from `start` on; none by default.
    """
    members, columns = values.shape
    assert all(x.is_contiguous() for x in (values, grads, exp_avg, exp_avg_sq, factors))
    # Without a copy no column lies between its ends, and nothing is written through what stands in for it.
    copy, stop = (values, start) if narrow is None else (narrow, start + narrow.shape[1])
    assert copy.is_contiguous()
    numbers = (columns, border, start, stop, factors.shape[1], _BLOCK)
    grid = (triton.cdiv(columns, _BLOCK), members)
    _update_kernel[grid](values, grads, exp_avg, exp_avg_sq, factors, copy, *numbers)


@triton.jit  # type: ignore[untyped-decorator]
def _update_kernel(
    values: tl.tensor,
    grads: tl.tensor,
    exp_avgs: tl.tensor,
    exp_avg_sqs: tl.tensor,
    factors: tl.tensor,
    narrow: tl.tensor,
    columns: tl.tensor,
    border: tl.tensor,
    start: tl.tensor,
    stop: tl.tensor,
    FACTORS: tl.constexpr,  # noqa: N803 - as triton writes constants
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    # 64-bit: a pack's buffer has more numbers than 32 bits count.
    member = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    factor = factors + member * FACTORS
    if tl.load(factor) == 0:
        return
    scale, decay, share = tl.load(factor + 1), tl.load(factor + 2), tl.load(factor + 3)
    beta_2, share_2 = tl.load(factor + 4), tl.load(factor + 5)
    step_size, root, epsilon = tl.load(factor + 6), tl.load(factor + 7), tl.load(factor + 8)
    place, inside = member * columns + column, column < columns
    value, grad = tl.load(values + place, inside, 0.0), tl.load(grads + place, inside, 0.0) * scale
    exp_avg, exp_avg_sq = tl.load(exp_avgs + place, inside, 0.0), tl.load(exp_avg_sqs + place, inside, 0.0)
    exp_avg += share * (grad - exp_avg)
    exp_avg_sq = beta_2 * exp_avg_sq + share_2 * grad * grad
    change = step_size * exp_avg / (tl.sqrt(exp_avg_sq) / root + epsilon)
    # Taken off at once: 1 - decay, and a weight less its decay alone, would often round to what was there.
    value -= change + tl.where(column < border, decay, 0.0) * value
    tl.store(values + place, value, inside)
    tl.store(exp_avgs + place, exp_avg, inside)
    tl.store(exp_avg_sqs + place, exp_avg_sq, inside)
    is_copied = (column >= start) & (column < stop)
    copied = narrow + member * (stop - start) + column - start
    tl.store(copied, value.to(narrow.dtype.element_ty), is_copied)
