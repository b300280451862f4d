"""Layers that hold the weights of R members; refuse inputs whose rows are not grouped by member.

Shapes: R members, B rows each, T tokens, D width. An input's leading dimension is R*B, member by member.
Each layer computes for every member what the layer it replaces computes; `extract_member` gives that back.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from headstart.engine.affine import FixedAffine
from headstart.engine.lookup import look_up_by_member
from headstart.models.vocabulary import CompactEmbedding


class BatchRows:
    """How many rows the batch has, [R*B]: set by the stack before each forward pass, read by embeddings."""

    count: int | None = None


def group_by_member(x: torch.Tensor, members: int) -> torch.Tensor:
    """[R*B, ..., D] as [R, N, D].

    Raises:
        ValueError: the leading dimension is no multiple of R, so rows cannot be grouped by member.
    """
    if x.shape[0] % members:
        raise ValueError(f"an input of shape {tuple(x.shape)} has no rows grouped by {members} members")
    return x.reshape(members, -1, x.shape[-1])


class StackedLayer(nn.Module):
    """Base of the layers: weights with a leading dimension R, and the layer they replace, without weights."""

    def __init__(self, plain: nn.Module, weights: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        for name, value in weights.items():  # in the plain layer's order, which decides that of a row
            self.register_parameter(name, value)
        if "bias" not in weights:
            self.register_parameter("bias", None)
        # In a tuple: no submodule, so that it has no part in the stack's state or devices.
        self._plain = (_strip_weights(plain),)

    def extract_member(self, r: int) -> nn.Module:
        """Member r's own layer, of the kind it had, with copies of its weights."""
        plain = copy.deepcopy(self._plain[0])
        for name, value in self.named_parameters(recurse=False):
            copied = nn.Parameter(value[r].detach().clone(), requires_grad=value.requires_grad)
            setattr(plain, name, copied)
        for name, constant in self.named_buffers(recurse=False):
            setattr(plain, name, constant.clone())
        return plain.train(self.training)


class StackedLinear(StackedLayer):
    """R linear maps: weight [R, out, in], bias [R, out] or None; [R*B, ..., in] -> [R*B, ..., out]."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _multiply_members(group_by_member(x, len(self.weight)), self.weight.transpose(1, 2), self.bias)
        return y.view(*x.shape[:-1], -1)


class StackedConv1D(StackedLayer):
    """R of GPT-2's `Conv1D`, a linear map with its weight the other way: weight [R, in, out]."""

    weight: nn.Parameter
    bias: nn.Parameter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _multiply_members(group_by_member(x, len(self.weight)), self.weight, self.bias)
        return y.view(*x.shape[:-1], -1)


class StackedEmbedding(StackedLayer):
    """R embedding tables: weight [R, V, D]; ids [R*B, ...] -> [R*B, ..., D].

    Ids [1, T] or [T] (positions, token types) are those of every row. `lookup` [ids] maps an id to its
    row where the tables hold only the rows in use.
    """

    weight: nn.Parameter
    lookup: torch.Tensor | None

    def __init__(
        self, plain: nn.Embedding | CompactEmbedding, weights: Mapping[str, nn.Parameter], rows: BatchRows
    ) -> None:
        super().__init__(plain, weights)
        self.register_buffer("lookup", getattr(plain, "lookup", None), persistent=False)
        self.padding_idx, self._rows = plain.padding_idx, rows

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        ids = self._expand_to_rows(ids)
        rows = ids if self.lookup is None else self.lookup[ids]
        grouped = group_by_member(rows.unsqueeze(-1), len(self.weight)).squeeze(-1)
        return look_up_by_member(self.weight, grouped, self.padding_idx).view(*ids.shape, -1)

    def _expand_to_rows(self, ids: torch.Tensor) -> torch.Tensor:
        shared = ids.unsqueeze(0) if ids.dim() == 1 else ids
        if shared.shape[0] == 1 and self._rows.count is not None:
            return shared.expand(self._rows.count, *shared.shape[1:])
        return ids


class StackedNorm(StackedLayer):
    """R scales [R, D] and perhaps shifts after one family's own normalisation, `LayerNorm` or `RMSNorm`."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, plain: nn.Module, weights: Mapping[str, nn.Parameter]) -> None:
        super().__init__(plain, weights)
        self._normalise = (_create_normalisation(plain),)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normal: torch.Tensor = self._normalise[0](x)
        y = group_by_member(normal, len(self.weight)) * self.weight.unsqueeze(1)
        if self.bias is not None:
            y = y + self.bias.unsqueeze(1)
        return y.to(normal.dtype).view(x.shape)

    def _apply(self, fn: Any, recurse: bool = True) -> StackedNorm:
        self._normalise[0]._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


class StackedAffine(StackedLayer):
    """R sets of constants, factor [R] or [R, D] and perhaps shift [R, D], of layers of the kind
    `FixedAffine`."""

    factor: torch.Tensor
    shift: torch.Tensor | None

    def __init__(self, layers: Sequence[FixedAffine]) -> None:
        super().__init__(layers[0], {})
        shifts = [layer.shift for layer in layers if layer.shift is not None]
        self.register_buffer("factor", torch.stack([layer.factor for layer in layers]), persistent=False)
        self.register_buffer("shift", torch.stack(shifts) if shifts else None, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grouped = group_by_member(x, len(self.factor))
        if self.shift is not None:
            grouped = grouped - self.shift.unsqueeze(1)
        scaled = grouped * self.factor.view(len(self.factor), 1, -1)
        return scaled.to(x.dtype).view(x.shape)

    @property
    def constants(self) -> dict[str, torch.Tensor]:
        """The buffers whose rows are the members'."""
        return dict(self.named_buffers(recurse=False))

    def extract_member(self, r: int) -> nn.Module:
        """Member r's own layer."""
        return FixedAffine(*(value[r].clone() for value in self.constants.values())).train(self.training)


def _strip_weights(layer: nn.Module) -> nn.Module:
    """A copy of `layer` whose parameters take no memory."""
    empty: dict[int, Any] = {id(p): nn.Parameter(p.detach().to("meta")) for p in layer.parameters()}
    return copy.deepcopy(layer, empty)


def _create_normalisation(norm: nn.Module) -> nn.Module:
    """A copy of `norm` with scale 1 and shift 0, which nothing trains."""
    plain = copy.deepcopy(norm).requires_grad_(False)
    with torch.no_grad():
        for name, value in plain.named_parameters():
            value.fill_(1.0 if name == "weight" else 0.0)
    return plain


def _multiply_members(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """x [R, N, in] times weight [R, in, out], plus bias [R, out]."""
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight)


def stack_parameters(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """R parameters of one shape as one, [R, *shape]."""
    values = torch.stack([p.detach() for p in parameters])
    return nn.Parameter(values, requires_grad=parameters[0].requires_grad)
