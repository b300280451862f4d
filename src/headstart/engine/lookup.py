"""Rows of tables by index, whose gradients are added up in one order on every device.

Torch's own gradient of an embedding adds up in any order on a GPU, where a row is asked for often among some
thousand (an NVIDIA H100, torch 2.11: 1,200 times among 7,200, not 24 times).

Shapes: R members, V rows of a table, D wide, N indices.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F


@torch.library.custom_op("headstart::add_up_rows", mutates_args=(), device_types="cpu")
def add_up_rows(grads: torch.Tensor, rows: torch.Tensor, count: int, padding: int) -> torch.Tensor:
    """The gradient of a table of `count` rows, [count, D], from those of what was looked up, [N, D].

    Args:
        rows: which each was, int64 [N].
        padding: a row whose gradient is zero; -1 for none.
    """
    wide = grads.float() if grads.dtype == torch.bfloat16 else grads
    sums: torch.Tensor = torch.ops.aten.embedding_dense_backward(wide, rows, count, padding, False)
    return sums.to(grads.dtype)


@add_up_rows.register_kernel("cuda")
def _add_up_rows_on_gpu(*inputs: Any) -> torch.Tensor:
    from headstart.engine.lookup_kernels import launch_row_sums

    return launch_row_sums(*inputs)


@add_up_rows.register_fake
def _shape_row_sums(grads: torch.Tensor, rows: torch.Tensor, count: int, padding: int) -> torch.Tensor:
    return grads.new_empty(count, grads.shape[-1])


def look_up_by_member(tables: torch.Tensor, ids: torch.Tensor, padding: int | None) -> torch.Tensor:
    """Rows [R, N, D] of R tables [R, V, D], each by its own ids [R, N]; padding rows have no gradient."""
    rows: torch.Tensor = _LookUp.apply(tables, ids, padding)  # type: ignore[no-untyped-call]
    return rows


def look_up(
    ids: torch.Tensor, table: torch.Tensor, padding_idx: int | None = None, *args: Any, **more: Any
) -> torch.Tensor:
    """`torch.nn.functional.embedding`, whose gradient is added up in one order."""
    learns = table.requires_grad and torch.is_grad_enabled()
    if args or any(more.get(name) for name in ("max_norm", "scale_grad_by_freq", "sparse")) or not learns:
        return F.embedding(ids, table, padding_idx, *args, **more)
    padding = None if padding_idx is None else padding_idx % len(table)
    return look_up_by_member(table.unsqueeze(0), ids.reshape(1, -1), padding).view(*ids.shape, -1)


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tables: torch.Tensor, ids: torch.Tensor, padding: int | None) -> torch.Tensor:
        ctx.save_for_backward(ids)
        ctx.shape, ctx.padding = tables.shape, padding
        member = torch.arange(len(tables), device=ids.device).unsqueeze(1)
        return tables[member, ids]

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (ids,) = ctx.saved_tensors
        members, rows, width = ctx.shape
        index = ids + rows * torch.arange(members, device=ids.device).unsqueeze(1)
        padding = -1
        if ctx.padding is not None:
            # One index for all members' padding: the operator leaves out a single one.
            padding = ctx.padding
            index = torch.where(ids == padding, padding, index)
        dense = add_up_rows(grad.reshape(-1, width), index.flatten(), members * rows, padding)
        return dense.view(ctx.shape), None, None
