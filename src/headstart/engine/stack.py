"""Stacks R models of one architecture into one module and extracts them; refuses what would not be exact.

Every layer with weights is replaced by one that holds all R sets of them; the rest of the model runs
unchanged on a batch of [R*B, ...], rows grouped by member. Frozen weights that all members have in common
are held once. Each stack is checked against its members.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from headstart.engine.families import patch_for_stack, unpatch
from headstart.engine.layers import (
    BatchRows,
    StackedAffine,
    StackedConv1D,
    StackedEmbedding,
    StackedLayer,
    StackedLinear,
    StackedNorm,
    stack_parameters,
)
from headstart.engine.same_architecture import check_same_architecture
from headstart.engine.stack_check import check_agreement
from headstart.engine.stackable_layers import find_stacking_obstacle, get_layer_kind
from headstart.engine.stacked_model import Stack
from headstart.errors import StackError


def stack(models: Sequence[nn.Module], *, check: bool = True) -> Stack:
    """One module that computes what the R `models` compute, each on its own rows of the batch.

    Weights are copied. With `check`, a small batch goes through the stack and through the first and the
    last model, and their outputs must agree.

    Example:
        stack = headstart.stack(models)
        logits = stack(input_ids=ids, attention_mask=mask).logits  # [R*B, T] in, [R*B, C] out

    Raises:
        StackError: the models differ in architecture or constants, one has weights outside the layers
            that can be stacked, or the outputs do not agree.
    """
    if not models:
        raise StackError("no models given", expected="at least one")
    check_same_architecture(models)
    reason = find_stacking_obstacle(models[0])
    if reason is not None:
        raise StackError(reason, where=type(models[0]).__name__)
    rows = BatchRows()
    module = Stack(_replace_layers(models, rows), rows, len(models)).train(models[0].training)
    patch_for_stack(module)
    if check:
        check_agreement(module, {0: models[0], len(models) - 1: models[-1]})
    return module


def unstack(module: Stack, r: int) -> nn.Module:
    """Member r of a stack as an ordinary model with copies of its weights.

    Example:
        best = headstart.unstack(stack, 2)

    Raises:
        IndexError: there is no such member.
    """
    if not 0 <= r < module.members:
        raise IndexError(f"member {r} of a stack of {module.members}")
    copies: dict[int, Any] = {}
    for layer in (m for m in module.model.modules() if isinstance(m, StackedLayer)):
        copies[id(layer)] = _extract_layer(layer, r, copies)
    # deepcopy takes what its memo holds for the copy of the original: so no stacked weight is copied.
    plain: nn.Module = copy.deepcopy(module.model, copies)
    unpatch(plain)
    return plain


def _extract_layer(layer: Any, r: int, copies: dict[int, Any]) -> nn.Module:
    """Member r's layer; weights that are tied in the stack are tied again."""
    plain: nn.Module = layer.extract_member(r)
    for name, value in layer.named_parameters(recurse=False):
        setattr(plain, name, copies.setdefault(id(value), getattr(plain, name)))
    return plain


def _replace_layers(models: Sequence[nn.Module], rows: BatchRows) -> nn.Module:
    """A copy of the first model in which every layer with weights holds those of all models."""
    stacked: dict[int, Any] = {}
    for path, layer in models[0].named_modules(remove_duplicate=False):
        layers = [model.get_submodule(path) for model in models]
        is_shared = _can_share(layers)
        for name, parameter in layer.named_parameters(recurse=False):
            if id(parameter) not in stacked:  # a tied one is stacked once, and stays tied
                every = [m.get_parameter(name) for m in layers]
                stacked[id(parameter)] = parameter if is_shared else stack_parameters(every)
        if get_layer_kind(layer) and not is_shared and id(layer) not in stacked:
            stacked[id(layer)] = _stack_layer(layers, stacked, rows)
    # deepcopy takes what its memo holds for the copy of the original: here the stacked layer.
    return copy.deepcopy(models[0], stacked)


def _can_share(layers: Sequence[nn.Module]) -> bool:
    """Whether a layer's weights, those of each model, are frozen and the same, so that one set serves all."""
    first = list(layers[0].parameters(recurse=False))
    if not first or any(p.requires_grad for p in first):
        return False
    others = (list(layer.parameters(recurse=False)) for layer in layers[1:] if layer is not layers[0])
    return all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


def _stack_layer(layers: Sequence[Any], stacked: dict[int, Any], rows: BatchRows) -> StackedLayer:
    layer = layers[0]
    weights = {name: stacked[id(value)] for name, value in layer.named_parameters(recurse=False)}
    kind = get_layer_kind(layer)
    if kind == "affine":
        return StackedAffine(layers)
    if kind == "linear":
        return StackedLinear(layer, weights)
    if kind == "conv1d":
        return StackedConv1D(layer, weights)
    if kind == "embedding":
        return StackedEmbedding(layer, weights, rows)
    return StackedNorm(layer, weights)
