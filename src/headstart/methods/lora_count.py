"""Counts what LoRA adds to a model and lets train: by formula, and by walking an adapted model.

It lies among methods, and not in `models.accounting`, for it gives a model the method's own adapters to walk:
`models` stands below the methods and knows none. What it gives is a `LoraCount` of `models.accounting`, which
reports read without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch

from headstart.config.study import Lora, LoraBias, LoraRole
from headstart.errors import ModelError
from headstart.methods.lora_layers import (
    find_target_layers,
    get_linear_sizes,
    inject_adapters,
    list_trained_modules,
)
from headstart.models.accounting.sizes import LoraCount, TargetCount

#: Ranks, targets and biases that a table of costs shows.
RANKS = (4, 8, 16, 32, 64)
ROLES: tuple[LoraRole, ...] = get_args(LoraRole)
BIASES: tuple[LoraBias, ...] = get_args(LoraBias)


def count_lora(make_model: Callable[[], Any], lora: Lora, *, has_pooler: bool = True) -> LoraCount:
    """What `lora` makes of a model.

    Args:
        make_model: gives the model before it is adapted, on the meta device, each time anew.
        has_pooler: whether its checkpoint brings a pooler along, where it has one; else that trains whole.

    Raises:
        ModelError: no layer matches a target, or formula and walk do not agree.
    """
    model = make_model()
    missing_keys = [] if has_pooler else [name for name, _ in model.named_parameters() if "pooler" in name]
    paths = find_target_layers(model, lora)
    sizes = [get_linear_sizes(model.get_submodule(path)) for path in paths]
    walked = _walk(make_model(), lora, missing_keys)
    weights, as_sum = lora.r * sum(map(sum, sizes)), _write_sum(lora.r, sizes)
    if walked.adapters != weights:
        raise ModelError(f"adapters have {walked.adapters:,} weights, and {as_sum} is {weights:,}")
    return LoraCount(
        settings=lora,
        layers=tuple(paths),
        adapters=weights,
        as_sum=as_sum,
        head=walked.head,
        biases=walked.biases,
        by_rank={rank: rank * sum(map(sum, sizes)) for rank in RANKS},
        by_target={role: _count_target(model, lora, role) for role in ROLES},
        by_bias={bias: _count_biases(make_model(), lora, bias, missing_keys) for bias in BIASES},
    )


@dataclass(frozen=True)
class _TrainableCount:
    """What trains in an adapted model: adapters, what trains whole, and biases that train by themselves."""

    adapters: int
    head: int
    biases: int


def _walk(model: Any, lora: Lora, missing_keys: Sequence[str]) -> _TrainableCount:
    head_modules = tuple(f"{name}." for name in list_trained_modules(model, missing_keys))
    with torch.device("meta"):
        inject_adapters(model, lora, 0, missing_keys)
    trained = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    adapters = sum(n for name, n in trained.items() if ".lora_A." in name or ".lora_B." in name)
    head = sum(n for name, n in trained.items() if name.startswith(head_modules))
    return _TrainableCount(adapters, head, sum(trained.values()) - adapters - head)


def _write_sum(rank: int, sizes: Sequence[tuple[int, int]]) -> str:
    """A sum with a term for each shape of layer: how many there are, times r, times width in and out."""
    shapes = {shape: sizes.count(shape) for shape in sizes}
    return " + ".join(f"{n} x {rank} x ({width:,} + {height:,})" for (width, height), n in shapes.items())


def _count_target(model: Any, lora: Lora, role: LoraRole) -> TargetCount:
    paths = find_target_layers(model, lora.model_copy(update={"target": role}))
    widths = [sum(get_linear_sizes(model.get_submodule(path))) for path in paths]
    return TargetCount(len(paths), lora.r * sum(widths))


def _count_biases(model: Any, lora: Lora, bias: LoraBias, missing_keys: Sequence[str]) -> int:
    return _walk(model, lora.model_copy(update={"bias": bias}), missing_keys).biases
