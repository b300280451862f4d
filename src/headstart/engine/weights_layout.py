"""How trainable parameters lie in a member's row: those that decay first, linear maps side by side."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from headstart.engine.stackable_layers import is_linear_map

#: Each parameter starts at a multiple of this many numbers, so that products find it aligned.
_ALIGNMENT = 16


@dataclass(frozen=True)
class ParameterSlot:
    """Where a parameter lies in every member's row, and its shape in one model."""

    name: str
    start: int
    shape: torch.Size

    @property
    def stop(self) -> int:
        """The number after its last."""
        return self.start + math.prod(self.shape)


@dataclass(frozen=True)
class WeightsLayout:
    """How trainable parameters lie in a member's row [P]; those that decay come first, up to `border`.

    All that is needed of `Weights` to make a trained row a model again, without the memory of any.
    """

    slots: tuple[ParameterSlot, ...]
    border: int

    @property
    def decaying_names(self) -> frozenset[str]:
        """The names of the parameters that decay."""
        return frozenset(slot.name for slot in self.slots if slot.start < self.border)

    def view_parameters(self, row: torch.Tensor) -> dict[str, torch.Tensor]:
        """A member's row [P] as the parameters of one model: views by name."""
        return {slot.name: row[slot.start : slot.stop].view(slot.shape) for slot in self.slots}


def find_linear_parameters(model: nn.Module) -> frozenset[str]:
    """The names of the parameters that linear maps alone use: autocast casts them wherever they are used."""
    linear, others = set[int](), set[int]()
    for module in model.modules():
        (linear if is_linear_map(module) else others).update(id(p) for p in module.parameters(recurse=False))
    return frozenset(name for name, p in model.named_parameters() if id(p) in linear - others)


def rank_parameter(decays: bool, is_linear: bool) -> int:
    """In a row linear maps' weights lie side by side, the border of decay among them."""
    return (1 if is_linear else 0) if decays else (2 if is_linear else 3)


def order_trained_parameters(
    model: nn.Module, decaying: Collection[str], linear: Collection[str]
) -> dict[str, nn.Parameter]:
    """The parameters that train, by name, in the order in which they lie in a row."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    order = sorted(trained, key=lambda name: rank_parameter(name in decaying, name in linear))
    return {name: trained[name] for name in order}


def find_border(slots: Sequence[ParameterSlot], end: int, decaying: Collection[str]) -> int:
    """The first column that does not decay."""
    return min((slot.start for slot in slots if slot.name not in decaying), default=end)


def lay_out(shapes: Mapping[str, torch.Size]) -> tuple[list[ParameterSlot], int]:
    """Each parameter's place in a row, one after the other, and the row's length."""
    slots, end = [], 0
    for name, shape in shapes.items():
        slots.append(ParameterSlot(name, end, shape))
        end = _align(slots[-1].stop)
    return slots, end


def _align(column: int) -> int:
    return -(-column // _ALIGNMENT) * _ALIGNMENT


def find_span(slots: Sequence[ParameterSlot]) -> slice:
    """The columns of slots that lie side by side, up to where the next one begins."""
    return slice(slots[0].start, _align(slots[-1].stop)) if slots else slice(0, 0)
