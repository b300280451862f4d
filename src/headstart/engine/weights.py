"""The trainable weights of R members in one buffer, gradients beside it; members can be taken out.

A member's weights are one row, those that decay before those that do not: clipping and the optimiser see
two vectors a member, whatever the model. The module's parameters are views of the buffer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

from headstart.engine.layers import StackedRescale
from headstart.engine.stack import Stack, agree, members_in, stack
from headstart.models.vocabulary import CompactEmbedding, input_embedding
from headstart.tuning.full import decaying
from headstart.tuning.rescale import Rescale

#: Each parameter starts at a multiple of this many numbers, so that products find it aligned.
_ALIGNMENT = 16


@dataclass(frozen=True)
class Slot:
    """Where a parameter lies in every member's row, and its shape in one model."""

    name: str
    start: int
    shape: torch.Size

    @property
    def stop(self) -> int:
        """The number after its last."""
        return self.start + math.prod(self.shape)


@dataclass
class _Into:
    """Where the module's gradients go: one for all `Weights` that share a module.

    `rows` are those of an embedding's gradient that a step has touched, by the slot's start.
    """

    grads: torch.Tensor
    rows: dict[int, list[torch.Tensor]] = field(default_factory=dict)


class Weights:
    """Buffers [R, P] of `values` and `grads`, and the module that computes with them.

    `decaying` is the part of a row, from its start, that decays. A plain model is a module of one member.

    Args:
        module: a plain model, or a `Stack` of R; its parameters become views of the buffer.
        decaying: the names in one model of the parameters that decay.
    """

    def __init__(self, module: nn.Module, decaying: Collection[str]) -> None:
        self.module = module
        # A stack's names are those of one model below `model.`, its shapes have the members before them.
        self._stacked = isinstance(module, Stack)
        base = module.model if isinstance(module, Stack) else module
        trained = {name: p for name, p in base.named_parameters() if p.requires_grad}
        order = sorted(trained, key=lambda name: name not in decaying)
        self._parameters = [trained[name] for name in order]
        self.slots, end = _slots({name: self._shape(trained[name]) for name in order})
        border = min((slot.start for slot in self.slots if slot.name not in decaying), default=end)
        self.decaying, self.exempt = slice(0, border), slice(border, end)
        first = self._parameters[0]
        self.values = torch.zeros(members_in(module), end, dtype=first.dtype, device=first.device)
        self.grads = torch.zeros_like(self.values)
        self._into = _Into(self.grads)
        self._rescales = [m for m in base.modules() if isinstance(m, StackedRescale)]
        self._constants = [layer.constants for layer in self._rescales]
        self._adopt()
        _by_row(base)
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            # Without a reference to this object, which holds the module: a circle would keep both in memory.
            collect = partial(_collect, self._into, slot, self._stacked)
            parameter.register_post_accumulate_grad_hook(collect)  # type: ignore[no-untyped-call]

    def _shape(self, parameter: nn.Parameter) -> torch.Size:
        return parameter.shape[1:] if self._stacked else parameter.shape

    def _adopt(self) -> None:
        """Copy each parameter into the buffer and let go of its own memory, one after the other."""
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            view = _view(self.values, slot, self._stacked)
            view.copy_(parameter.detach())
            parameter.data = view

    @property
    def decays(self) -> frozenset[str]:
        """The names of the parameters that decay."""
        return frozenset(slot.name for slot in self.slots if slot.start < self.decaying.stop)

    def fill(self, r: int, model: nn.Module) -> None:
        """Give member r the weights of a plain model of the same architecture."""
        own = dict(model.named_parameters())
        with torch.no_grad():
            for slot in self.slots:
                self.values[r, slot.start : slot.stop] = own[slot.name].detach().flatten()
            plain = [m for m in model.modules() if isinstance(m, Rescale)]
            for constants, one in zip(self._constants, plain, strict=True):
                for name, value in constants.items():
                    value[r] = one.get_buffer(name)

    def named(self, row: torch.Tensor) -> dict[str, torch.Tensor]:
        """A member's row [P] as the parameters of one model: views by name."""
        return {slot.name: row[slot.start : slot.stop].view(slot.shape) for slot in self.slots}

    def leaves(self, r: int) -> list[torch.Tensor]:
        """Member r's weights as an optimiser wants them: what decays and what does not, with gradients."""
        parts = []
        for part in (self.decaying, self.exempt):
            leaf = self.values[r, part].detach().requires_grad_()
            leaf.grad = self.grads[r, part]
            parts.append(leaf)
        return parts

    def forget_gradients(self) -> None:
        """Zero the gradients in place: of an embedding's, the rows that the last passes touched.

        Kept, not freed: fresh memory for those of a large embedding is page faults.
        """
        start = 0
        for slot in self.slots:
            touched = self._into.rows.pop(slot.start, None)
            if touched is None:
                continue
            self.grads[:, start : slot.start].zero_()
            _view(self.grads, slot, self._stacked)[torch.cat(touched)] = 0
            start = slot.stop
        self.grads[:, start:].zero_()

    def take(self, rows: Sequence[int]) -> None:
        """Go on with these members alone, in this order; gradients start at zero.

        Leaves made before are of no use afterwards.
        """
        self.values = self.values[list(rows)]
        self.grads = torch.zeros_like(self.values)
        self._take_constants(rows)
        self.point()

    def part(self, rows: Sequence[int]) -> Weights:
        """A copy of these members' weights for the same module, which it does not touch until `point`."""
        other: Weights = object.__new__(Weights)
        other.__dict__ |= self.__dict__
        other.values = self.values[list(rows)]
        other.grads = torch.zeros_like(other.values)
        other._take_constants(rows)
        return other

    def _take_constants(self, rows: Sequence[int]) -> None:
        self._constants = [{name: own[list(rows)] for name, own in one.items()} for one in self._constants]

    def let_go(self) -> None:
        """Give the memory back: these members' weights have been copied elsewhere. Slots stay known."""
        self.values, self.grads = self.values[:0].clone(), self.grads[:0].clone()
        self._into.grads = self.grads
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            shape = (0, *slot.shape) if self._stacked else slot.shape
            parameter.data = self.values.new_empty(shape)

    def point(self) -> None:
        """Have the module compute with these members' weights."""
        self._into.grads = self.grads
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            parameter.data = _view(self.values, slot, self._stacked)
        for layer, constants in zip(self._rescales, self._constants, strict=True):
            for name, value in constants.items():
                setattr(layer, name, value)
        if isinstance(self.module, Stack):
            self.module.members = len(self.values)


def weights_together(models: Iterator[nn.Module], count: int) -> Weights:
    """The weights of `count` models, which are made one at a time: memory never holds all beside the stack.

    One is a plain model; more are a stack, checked against its first and last members.

    Raises:
        StackError: the architecture cannot be stacked.
    """
    first = next(models)
    if count == 1:
        return Weights(first, decaying(first))
    module = stack([first] * count, check=False)
    weights, last = Weights(module, decaying(first)), first
    for r, last in enumerate(models, start=1):
        weights.fill(r, last)
    # With weights of their own: among equal models, rows that meet another member's go unseen.
    agree(module, {0: first, count - 1: last})
    return weights


def _view(buffer: torch.Tensor, slot: Slot, stacked: bool) -> torch.Tensor:
    """All members' numbers of one parameter, [R, *shape], or those of a plain model, [*shape]."""
    part = buffer[:, slot.start : slot.stop]
    return part.view(len(buffer), *slot.shape) if stacked else part[0].view(slot.shape)


def _collect(into: _Into, slot: Slot, stacked: bool, parameter: nn.Parameter) -> None:
    """Add a gradient to the buffer as soon as it is whole, and let go of its own memory."""
    grad, view = parameter.grad, _view(into.grads, slot, stacked)
    assert grad is not None
    if grad.is_sparse:
        rows = grad._indices()[0]
        view.index_add_(0, rows, grad._values())
        into.rows.setdefault(slot.start, []).append(rows)
    else:
        view.add_(grad)
    parameter.grad = None


def _by_row(model: nn.Module) -> None:
    """Have a plain input embedding's gradient hold the rows of its batch alone; a tied table's is whole."""
    embedding = input_embedding(model)
    if isinstance(embedding, nn.Embedding | CompactEmbedding) and embedding.weight.requires_grad:
        embedding.sparse = True


def _slots(shapes: Mapping[str, torch.Size]) -> tuple[list[Slot], int]:
    """Each parameter's place in a row, one after the other, and the row's length."""
    slots, end = [], 0
    for name, shape in shapes.items():
        slots.append(Slot(name, end, shape))
        end = -(-slots[-1].stop // _ALIGNMENT) * _ALIGNMENT
    return slots, end
