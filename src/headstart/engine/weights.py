"""The trainable weights of R members in one buffer [R, P], gradients beside it; members can be selected.

A member's weights are one row, those that decay before those that do not: clipping and the optimiser see
two vectors a member, whatever the model. The module's parameters are views of the buffer. On request those
of linear maps, which lie side by side around the border, are views of a copy in bf16 instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

from headstart.engine.affine import FixedAffine
from headstart.engine.kind import uses_device_engine
from headstart.engine.layers import StackedAffine
from headstart.engine.stacked_model import Stack, count_members
from headstart.engine.weights_layout import (
    ParameterSlot,
    WeightsLayout,
    find_border,
    find_linear_parameters,
    find_span,
    lay_out,
    order_trained_parameters,
)
from headstart.models.vocabulary import CompactEmbedding, get_input_embedding


@dataclass
class _GradientSink:
    """Where the module's gradients go: one for all `Weights` that share a module.

    `touched` are the rows of an embedding's gradient that a step has written, by the slot's start.
    """

    grads: torch.Tensor
    touched: dict[int, list[torch.Tensor]] = field(default_factory=dict)


class Weights:
    """Buffers [R, P] of `values` and `grads`, and the module that computes with them.

    `decayed` are the columns, from the first, that decay; `exempt` are the others; `linear` are those of
    linear maps, of both. A plain model is a module of one member.

    Args:
        module: a plain model, or a `Stack` of R; its parameters become views of the buffer.
        decaying: the names in one model of the parameters that decay.
        sparse_embeddings: have a plain model's input embedding give the gradient of its batch's rows alone,
            by default on a CPU. A GPU would add them up in any order, and a graph can capture no such thing.
    """

    #: [R, N], the columns `linear` in bf16, where `keep_narrow_copy` was asked for it.
    narrow: torch.Tensor | None = None

    def __init__(
        self, module: nn.Module, decaying: Collection[str], *, sparse_embeddings: bool | None = None
    ) -> None:
        self.module = module
        # A stack's names are those of one model below `model.`, its shapes have the members before them.
        self._stacked = isinstance(module, Stack)
        base = module.model if isinstance(module, Stack) else module
        linear = find_linear_parameters(base)
        trained = order_trained_parameters(base, decaying, linear)
        self._parameters = list(trained.values())
        self.slots, end = lay_out({name: self._get_member_shape(p) for name, p in trained.items()})
        border = find_border(self.slots, end, decaying)
        self.decayed, self.exempt = slice(0, border), slice(border, end)
        self.linear = find_span([slot for slot in self.slots if slot.name in linear])
        first = self._parameters[0]
        self.values = torch.zeros(count_members(module), end, dtype=first.dtype, device=first.device)
        self.grads = torch.zeros_like(self.values)
        self._sink = _GradientSink(self.grads)
        self._affines = [m for m in base.modules() if isinstance(m, StackedAffine)]
        self._constants = [layer.constants for layer in self._affines]
        self._move_parameters()
        if sparse_embeddings is None:
            sparse_embeddings = not uses_device_engine(self.values.device)
        if sparse_embeddings:
            _use_sparse_gradients(base)
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            # Without a reference to this object, which holds the module: a circle would keep both in memory.
            collect = partial(_collect_gradient, self._sink, slot, self._stacked)
            parameter.register_post_accumulate_grad_hook(collect)  # type: ignore[no-untyped-call]

    def _get_member_shape(self, parameter: nn.Parameter) -> torch.Size:
        return parameter.shape[1:] if self._stacked else parameter.shape

    def _move_parameters(self) -> None:
        """Copy each parameter into the buffer and free its own memory, one after the other."""
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            view = _view_slot(self.values, slot, self._stacked)
            view.copy_(parameter.detach())
            parameter.data = view

    def keep_narrow_copy(self) -> None:
        """Have the module compute with a bf16 copy of linear maps' weights, from now on.

        For a module that is only called under autocast to bf16, which would cast them in every pass. Numbers
        are the same, but for a stack's layers that one pass calls several times: their gradients are added up
        in bf16. Optimisers keep the copy the same as `values`; who writes to these calls `refresh_narrow`.
        """
        self.narrow = self.values[:, self.linear].bfloat16()
        self._bind_parameters()

    def refresh_narrow(self) -> None:
        """Make the copy in bf16, if there is one, the same as `values`."""
        if self.narrow is not None:
            self.narrow.copy_(self.values[:, self.linear])

    @property
    def layout(self) -> WeightsLayout:
        """How a member's weights lie in its row."""
        return WeightsLayout(tuple(self.slots), self.decayed.stop)

    def load_member(self, r: int, model: nn.Module) -> None:
        """Give member r the weights of a plain model of the same architecture."""
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for slot in self.slots:
                self.values[r, slot.start : slot.stop] = parameters[slot.name].detach().flatten()
            layers = [m for m in model.modules() if isinstance(m, FixedAffine)]
            for constants, layer in zip(self._constants, layers, strict=True):
                for name, value in constants.items():
                    value[r] = layer.get_buffer(name)
        self.refresh_narrow()

    def create_leaves(self, r: int) -> list[torch.Tensor]:
        """Member r's weights as torch's optimisers want them: what decays and what does not, with gradients.

        Views of the buffers, of use until the members are selected or copied.
        """
        leaves = []
        for columns in (self.decayed, self.exempt):
            leaf = self.values[r, columns].detach().requires_grad_()
            leaf.grad = self.grads[r, columns]
            leaves.append(leaf)
        return leaves

    def zero_gradients(self) -> None:
        """Zero the gradients in place: of an embedding's, the rows that the last passes touched.

        The memory is kept, not freed: fresh memory for a large embedding's gradient is page faults.
        """
        if not self._sink.touched:  # one operation, the same at every step
            self.grads.zero_()
            return
        start = 0
        for slot in self.slots:
            touched = self._sink.touched.pop(slot.start, None)
            if touched is None:
                continue
            self.grads[:, start : slot.start].zero_()
            _view_slot(self.grads, slot, self._stacked)[torch.cat(touched)] = 0
            start = slot.stop
        self.grads[:, start:].zero_()

    def add_up_gradients(self, add_up: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Have `add_up` make the gradients, in place, their sum over the processes of a group."""
        add_up(self.grads)
        self._sink.touched.clear()  # others may have written to other rows: all are to be zeroed

    def get_row(self, r: int) -> torch.Tensor:
        """What this process holds of member r's weights, [P]: a view."""
        return self.values[r]

    @property
    def length(self) -> int:
        """P, the numbers of a member's row."""
        return self.values.shape[1]

    def import_row(self, r: int, row: torch.Tensor) -> None:
        """Give member r the weights of a whole row [P]."""
        self.values[r] = row.to(self.values.device)
        self.refresh_narrow()

    def gather_row(self, row: torch.Tensor) -> torch.Tensor | None:
        """The whole row [P] of which each process holds what `get_row` gave: that, where each holds all."""
        return row

    def gather_moments(self, moments: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor] | None:
        """Likewise of an optimiser's moments."""
        return moments

    def take_own(self, row: torch.Tensor) -> torch.Tensor:
        """What this process holds of a whole row [P], on its device: all of it."""
        return row.to(self.values.device)

    def select(self, rows: Sequence[int]) -> None:
        """Keep the members at `rows` alone, in this order; gradients start at zero.

        Leaves given out before are views of memory that nothing uses any more.
        """
        self._select_rows(rows)
        self.bind()

    def copy_members(self, rows: Sequence[int], *, trains: bool = True) -> Weights:
        """A copy of these members' weights for the same module, which it does not touch until `bind`.

        One that is not to train has no memory for gradients.
        """
        other: Weights = object.__new__(Weights)
        other.__dict__ |= self.__dict__
        other._select_rows(rows, trains=trains)
        return other

    def _select_rows(self, rows: Sequence[int], *, trains: bool = True) -> None:
        self.values = self.values[list(rows)]
        self.grads = torch.zeros_like(self.values) if trains else self.grads[:0]
        if self.narrow is not None:
            self.narrow = self.narrow[list(rows)]
        self._constants = [
            {name: value[list(rows)] for name, value in constants.items()} for constants in self._constants
        ]

    def free(self) -> None:
        """Free the memory of weights and gradients, which have been copied elsewhere. Slots stay known."""
        self.values, self.grads = self.values[:0].clone(), self.grads[:0].clone()
        self.narrow = None if self.narrow is None else self.narrow[:0].clone()
        self._sink.grads = self.grads
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            shape = (0, *slot.shape) if self._stacked else slot.shape
            parameter.data = parameter.new_empty(shape)

    def bind(self) -> None:
        """Have the module compute with these members' weights."""
        self._sink.grads = self.grads
        self._bind_parameters()
        for layer, constants in zip(self._affines, self._constants, strict=True):
            for name, value in constants.items():
                setattr(layer, name, value)
        if isinstance(self.module, Stack):
            self.module.members = len(self.values)

    def _bind_parameters(self) -> None:
        for slot, parameter in zip(self.slots, self._parameters, strict=True):
            if self.narrow is not None and self.linear.start <= slot.start < self.linear.stop:
                parameter.data = _view_slot(self.narrow, slot, self._stacked, self.linear.start)
            else:
                parameter.data = _view_slot(self.values, slot, self._stacked)


def _view_slot(buffer: torch.Tensor, slot: ParameterSlot, stacked: bool, first: int = 0) -> torch.Tensor:
    """All members' numbers of one parameter, [R, *shape], or those of a plain model, [*shape].

    `first` is the buffer's first column in a member's row.
    """
    columns = buffer[:, slot.start - first : slot.stop - first]
    return columns.view(len(buffer), *slot.shape) if stacked else columns[0].view(slot.shape)


def _collect_gradient(
    sink: _GradientSink, slot: ParameterSlot, stacked: bool, parameter: nn.Parameter
) -> None:
    """Add a gradient to the buffer as soon as it is complete, and free its own memory."""
    grad, view = parameter.grad, _view_slot(sink.grads, slot, stacked)
    assert grad is not None
    if grad.is_sparse:
        rows = grad._indices()[0]
        view.index_add_(0, rows, grad._values())
        sink.touched.setdefault(slot.start, []).append(rows)
    else:
        view.add_(grad)
    parameter.grad = None


def _use_sparse_gradients(model: nn.Module) -> None:
    """Have a plain input embedding's gradient hold the rows of its batch alone; a tied table's is dense."""
    embedding = get_input_embedding(model)
    if isinstance(embedding, nn.Embedding | CompactEmbedding) and embedding.weight.requires_grad:
        embedding.sparse = True
