"""The gradient of an embedding table in Triton: rows that are alike are added up one after the other.

Imported where a GPU is used. Places are sorted by the row that they add to, and cut into parts. A part adds
up its runs of one row; where a run goes over a part's border, what each part has of it is joined by a second
kernel, from the first part on. So every sum has one order, and none is longer than a part and the parts.
With TRITON_INTERPRET=1 all of it runs on a CPU, slowly.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# A kernel is Python in form alone: its arguments are pointers and numbers of Triton's types.

from __future__ import annotations

from typing import Final

import torch
import triton
import triton.language as tl

#: Places of a part, and columns that a program adds up.
_PLACES: Final = 32
_COLUMNS: Final = 128


def launch_row_sums(grads: torch.Tensor, rows: torch.Tensor, count: int, padding: int) -> torch.Tensor:
    """As `lookup.add_up_rows`."""
    places, width = grads.shape
    sums = torch.zeros(count, width, dtype=grads.dtype, device=grads.device)
    if not places:
        return sums
    grads = grads.contiguous()
    # 32 bits are sorted in half the time; a stable sort has one outcome.
    ordered, order = rows.to(torch.int32).sort(stable=True)
    wide = torch.float64 if grads.dtype == torch.float64 else torch.float32
    parts = triton.cdiv(places, _PLACES)
    heads, tails = (torch.empty(parts, width, dtype=wide, device=grads.device) for _ in range(2))
    block = min(_COLUMNS, triton.next_power_of_2(width))
    grid, numbers = (parts, triton.cdiv(width, block)), (places, padding, width, _PLACES, block)
    sum_type = tl.float64 if wide == torch.float64 else tl.float32
    _add_kernel[grid](grads, ordered, order, sums, heads, tails, *numbers, sum_type, num_warps=1)
    _join_kernel[grid](ordered, sums, heads, tails, *numbers, num_warps=1)
    return sums


@triton.jit(do_not_specialize=["places", "padding"])
def _add_kernel(
    grads,
    ordered,
    order,
    sums,
    heads,
    tails,
    places,
    padding,
    width: tl.constexpr,
    part_places: tl.constexpr,
    block: tl.constexpr,
    sum_type: tl.constexpr,
):
    """Sums of a part's runs: whole ones to their rows, what a run before has here to `heads`, what goes on
    behind to `tails`."""
    part, column = tl.program_id(0).to(tl.int64), tl.program_id(1) * block + tl.arange(0, block)
    first, inside = part * part_places, column < width
    last = tl.minimum(first + part_places, places)
    row = tl.load(ordered + first)
    is_head = tl.load(ordered + first - 1, first > 0, -1) == row
    total = tl.zeros([block], sum_type)
    for i in range(part_places):
        place = first + i
        is_there = place < places
        here = tl.load(ordered + place, is_there, row)
        source = tl.load(order + place, is_there, 0) * width
        grad = tl.load(grads + source + column, inside & is_there, 0.0).to(sum_type)
        is_over = here != row
        tl.store(heads + part * width + column, total, inside & (is_over & is_head))
        is_whole = is_over & (is_head == 0) & (row != padding)
        tl.store(sums + row.to(tl.int64) * width + column, total, inside & is_whole)
        total = tl.where(is_over, grad, total + grad)
        is_head = is_head & (is_over == 0)
        row = here
    goes_on = tl.load(ordered + last, last < places, -1) == row
    tl.store(heads + part * width + column, total, inside & is_head)
    tl.store(tails + part * width + column, total, inside & ((is_head == 0) & goes_on))
    is_whole = (is_head == 0) & (goes_on == 0) & (row != padding)
    tl.store(sums + row.to(tl.int64) * width + column, total, inside & is_whole)


@triton.jit(do_not_specialize=["places", "padding"])
def _join_kernel(
    ordered,
    sums,
    heads,
    tails,
    places,
    padding,
    width: tl.constexpr,
    part_places: tl.constexpr,
    block: tl.constexpr,
):
    """Joins the run that begins in a part and goes on behind it, if there is one."""
    part, column = tl.program_id(0).to(tl.int64), tl.program_id(1) * block + tl.arange(0, block)
    first, inside = part * part_places, column < width
    last = tl.minimum(first + part_places, places)
    row = tl.load(ordered + last - 1)
    began_before = tl.load(ordered + first - 1, first > 0, -1) == row
    goes_on = tl.load(ordered + last, last < places, -1) == row
    if began_before | (goes_on == 0) | (row == padding):
        return
    total = tl.load(tails + part * width + column, inside, 0.0)
    place = last
    while tl.load(ordered + place, place < places, -1) == row:
        total += tl.load(heads + place // part_places * width + column, inside, 0.0)
        place += part_places
    tl.store(sums + row.to(tl.int64) * width + column, total, inside)
