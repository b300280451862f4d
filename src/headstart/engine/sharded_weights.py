"""The trainable weights of one run, of which each process of a group holds a part, by torch's FSDP.

A part is a row of its own, [p], laid out as the whole row [P] is, with each parameter's first dimension cut
among the processes. What a file holds is the whole row: that of one process, from which any number resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from headstart.engine.group import Group
from headstart.engine.virtual_tokens import unwrap_peft
from headstart.engine.weights import Weights
from headstart.engine.weights_layout import (
    ParameterSlot,
    find_border,
    find_linear_parameters,
    lay_out,
    order_trained_parameters,
)

#: What AdamW keeps of each weight, by torch's names.
MOMENTS: Final = ("exp_avg", "exp_avg_sq")


class ShardedWeights(Weights):
    """This process's part of one model's weights, and the module that gathers them as it computes.

    Gradients and moments are of the same part. `values` and `grads` are empty: torch holds them by parameter.

    Args:
        module: a plain model, on the CPU or the group's device: it is changed in place, frozen weights too.
        decaying: the names of the parameters that decay.
        device: where it computes.
    """

    def __init__(
        self, module: nn.Module, decaying: Collection[str], group: Group, device: torch.device
    ) -> None:
        self.module, self._group = module, group
        trained = order_trained_parameters(module, decaying, find_linear_parameters(module))
        self.slots, self._end = lay_out({name: p.shape for name, p in trained.items()})
        border = find_border(self.slots, self._end, decaying)
        self.decayed, self.exempt = slice(0, border), slice(border, self._end)
        _shard(module, group, device)
        parts = {name: p for name, p in module.named_parameters() if name in trained}
        self._parts = [_get_part(parts[name]) for name in trained]
        self._parameters = [parts[name] for name in trained]
        own = {name: part.shape for name, part in zip(trained, self._parts, strict=True)}
        self._own_slots, self._own_end = lay_out(own)
        self.values = self._parts[0].new_empty(1, 0)
        self.grads = self.values

    @property
    def length(self) -> int:
        """P, the numbers of the whole row."""
        return self._end

    def create_part_leaves(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """This process's part of what decays and of what does not, as torch's optimisers want them."""
        leaves: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
        for slot, part in zip(self.slots, self._parts, strict=True):
            leaves[slot.start >= self.decayed.stop].append(part.detach().requires_grad_())
        return leaves

    def list_gradients(self) -> list[torch.Tensor | None]:
        """The gradients of this process's part, by parameter; None before a backward pass."""
        return [None if p.grad is None else _get_part(p.grad) for p in self._parameters]

    def get_row(self, r: int) -> torch.Tensor:
        """This process's part, [p]: a copy."""
        return self.join_parts(self._parts)

    def join_parts(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """What is of one shape with this process's parts of parameters, in their order, as a row [p]."""
        row = self.values.new_zeros(self._own_end)
        for slot, part in zip(self._own_slots, parts, strict=True):
            row[slot.start : slot.stop] = part.detach().flatten()
        return row

    def split_row(self, row: torch.Tensor) -> list[torch.Tensor]:
        """A row [p] by parameters: views."""
        return [row[slot.start : slot.stop].view(slot.shape) for slot in self._own_slots]

    def gather_row(self, row: torch.Tensor) -> torch.Tensor | None:
        """The whole row [P] of which each process gives its part, on the CPU of the first; None elsewhere."""
        whole = row.new_zeros(self._end, device="cpu") if self._group.leads else None
        for slot, part in zip(self.slots, self.split_row(row.cpu()), strict=True):
            values = self._group.gather_parts(part, slot.shape[0])
            if whole is not None and values is not None:
                whole[slot.start : slot.stop] = values.flatten()
        return whole

    def gather_moments(self, moments: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor] | None:
        """What `ShardedAdamW` exported in each process, as one has it, in the first; None elsewhere."""
        whole = {name: self.gather_row(moments[name]) for name in MOMENTS if moments}
        if not self._group.leads:
            return None
        gathered = {}
        for i, columns in enumerate((self.decayed, self.exempt) if moments else ()):
            gathered[f"{i}.step"] = moments["step"].cpu().clone()
            gathered |= {f"{i}.{name}": row[columns] for name, row in whole.items() if row is not None}
        return gathered

    def take_own(self, row: torch.Tensor) -> torch.Tensor:
        """This process's part [p] of a whole row [P], on its device."""
        return self.join_parts([self._cut(row, slot) for slot in self.slots])

    def _cut(self, row: torch.Tensor, slot: ParameterSlot) -> torch.Tensor:
        values = row[slot.start : slot.stop].view(slot.shape)
        most = -(-slot.shape[0] // self._group.size)  # as torch's FSDP cuts
        return values[most * self._group.rank : most * (self._group.rank + 1)]

    def import_row(self, r: int, row: torch.Tensor) -> None:
        """Give the run the weights of a whole row [P]."""
        with torch.no_grad():
            for part, value in zip(self._parts, self.split_row(self.take_own(row)), strict=True):
                part.copy_(value)

    def zero_gradients(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def add_up_gradients(self, add_up: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Nothing: they were summed when each process took its part of them."""

    def bind(self) -> None:
        """Nothing: the module is this run's alone."""

    def free(self) -> None:
        """Nothing: memory goes with the module."""


def _get_part(value: torch.Tensor) -> torch.Tensor:
    assert isinstance(value, DTensor)
    return value.to_local()


def _shard(module: nn.Module, group: Group, device: torch.device) -> None:
    """Cut the weights of each block, and of what is left, in place; gradients are summed, not averaged."""
    mesh = init_device_mesh(device.type, (group.size,))
    for block in _find_blocks(module):
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            # In float32 and bf16 torch scales inside the sum, by an operation that gloo has not.
            part.set_force_sum_reduction_for_comms(True)


def _find_blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The model's blocks, which are gathered one at a time: as its family names them, else of its lists."""
    model: Any = unwrap_peft(module)
    names = set(getattr(model, "_no_split_modules", None) or ())
    blocks = [part for part in module.modules() if type(part).__name__ in names]
    blocks = [block for block in blocks if any(True for _ in block.parameters())]
    if blocks:
        yield from _drop_inner(blocks)
        return
    for part in module.modules():
        if isinstance(part, nn.ModuleList) and len(part) > 1:
            yield from part
            return


def _drop_inner(blocks: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """Those that lie in no other."""
    inner = {id(part) for block in blocks for part in block.modules() if part is not block}
    return (block for block in blocks if id(block) not in inner)
