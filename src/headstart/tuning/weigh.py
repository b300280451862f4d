"""Counts what LoRA adds to a model and lets train: by formula, and by walking an adapted model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headstart.config.study import Lora
from headstart.errors import ModelError
from headstart.methods.lora_layers import adapt, linear_sizes, targets, trained_modules

#: Ranks, targets and biases that a table of costs shows.
RANKS, ROLES, BIASES = (4, 8, 16, 32, 64), ("attention", "mlp", "all"), ("none", "lora_only", "all")


@dataclass(frozen=True)
class Adapters:
    """What LoRA adds to a model and what it lets train.

    `by_hand` is the sum behind `adapters`, such as `24 x 16 x (1,024 + 3,072)`; `head` counts what trains
    whole beside adapters, `biases` those that train by `lora.bias`. `ranks`, `roles` and `bias_kinds` are
    what other settings would give, all else as asked: numbers of adapter weights, or of biases.
    """

    lora: Lora
    layers: tuple[str, ...]
    adapters: int
    by_hand: str
    head: int
    biases: int
    ranks: dict[int, int]
    roles: dict[str, int]
    bias_kinds: dict[str, int]

    @property
    def trainable(self) -> int:
        """All that trains."""
        return self.adapters + self.head + self.biases

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, for `--json`; the adapter's file holds what trains, in float32."""
        return {
            "settings": self.lora.model_dump(mode="json") | {"scale": self.lora.scale},
            "layers": list(self.layers),
            "adapters": self.adapters,
            "by_hand": self.by_hand,
            "head": self.head,
            "biases": self.biases,
            "trainable": self.trainable,
            "file_bytes": 4 * self.trainable,
            "ranks": {str(rank): number for rank, number in self.ranks.items()},
            "targets": self.roles,
            "bias": self.bias_kinds,
        }


def count_adapters(make: Callable[[], Any], lora: Lora, *, has_pooler: bool = True) -> Adapters:
    """What `lora` makes of a model.

    Args:
        make: gives the model before it is adapted, on the meta device, each time anew.
        has_pooler: whether its checkpoint brings a pooler along, where it has one; else that trains whole.

    Raises:
        ModelError: no layer matches a target, or formula and walk do not agree.
    """
    plain = make()
    fresh = [] if has_pooler else [name for name, _ in plain.named_parameters() if "pooler" in name]
    paths = targets(plain, lora)
    sizes = [linear_sizes(plain.get_submodule(path)) for path in paths]
    walked = _walk(make(), lora, fresh)
    formula, by_hand = lora.r * sum(map(sum, sizes)), _by_hand(lora.r, sizes)
    if walked.adapters != formula:
        raise ModelError(f"adapters have {walked.adapters:,} weights, and {by_hand} is {formula:,}")
    kinds = {kind: lora.model_copy(update={"bias": kind}) for kind in BIASES}
    return Adapters(
        lora=lora,
        layers=tuple(paths),
        adapters=formula,
        by_hand=by_hand,
        head=walked.head,
        biases=walked.biases,
        ranks={rank: rank * sum(map(sum, sizes)) for rank in RANKS},
        roles=dict(_roles(plain, lora)),
        bias_kinds={kind: _walk(make(), own, fresh).biases for kind, own in kinds.items()},
    )


@dataclass(frozen=True)
class _Walked:
    """What trains in an adapted model: adapters, what trains whole, and biases that train by themselves."""

    adapters: int
    head: int
    biases: int


def _walk(model: Any, lora: Lora, fresh: Sequence[str]) -> _Walked:
    whole = tuple(f"{name}." for name in trained_modules(model, fresh))
    with torch.device("meta"):
        adapt(model, lora, 0, fresh)
    trained = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    adapters = sum(n for name, n in trained.items() if ".lora_A." in name or ".lora_B." in name)
    head = sum(n for name, n in trained.items() if name.startswith(whole))
    return _Walked(adapters, head, sum(trained.values()) - adapters - head)


def _by_hand(rank: int, sizes: Sequence[tuple[int, int]]) -> str:
    """A sum with a term for each shape of layer: how many there are, times r, times width in and out."""
    shapes = {shape: sizes.count(shape) for shape in sizes}
    return " + ".join(f"{n} x {rank} x ({width:,} + {height:,})" for (width, height), n in shapes.items())


def _roles(plain: Any, lora: Lora) -> Iterator[tuple[str, int]]:
    for role in ROLES:
        paths = targets(plain, lora.model_copy(update={"target": role}))
        yield role, lora.r * sum(sum(linear_sizes(plain.get_submodule(path))) for path in paths)
