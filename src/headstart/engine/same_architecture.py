"""Finds in what models differ that a stack's members must have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from headstart.engine.affine import FixedAffine
from headstart.errors import StackError
from headstart.models.checkpoints import NAME_KEYS


def check_same_architecture(models: Sequence[nn.Module]) -> None:
    """See that all are like the first.

    Raises:
        StackError: one is not; says in what.
    """
    first = models[0]
    for r, model in enumerate(models[1:], start=1):
        difference = next(_find_differences(first, model), None)
        if difference is not None:
            raise StackError(
                f"model {r} differs from model 0: {difference}",
                where=type(first).__name__,
                expected="models of one architecture",
            )


def _find_differences(first: nn.Module, other: nn.Module) -> Iterator[str]:
    """All that `other` would have to have in common with the first model of a stack, and has not."""
    if type(first) is not type(other):
        yield f"{type(other).__name__} instead of {type(first).__name__}"
        return
    wanted, config = _get_config_values(first), _get_config_values(other)
    yield from (f"{k} {config.get(k)} instead of {v}" for k, v in wanted.items() if config.get(k) != v)
    first_parameters, parameters = (dict(m.named_parameters()) for m in (first, other))
    extra = parameters.keys() - first_parameters.keys()
    yield from (f"{name}, which model 0 lacks or has tied" for name in extra)
    for name, parameter in first_parameters.items():
        form, its = _describe_parameter(parameter), _describe_parameter(parameters.get(name))
        yield from (f"{name} of {k} {its[k]} instead of {v}" for k, v in form.items() if its[k] != v)
    constants, others = _collect_constants(first), _collect_constants(other)
    for name, buffer in constants.items():
        if name not in others or not torch.equal(buffer, others[name]):
            yield f"another {name}"


def _collect_constants(model: nn.Module) -> dict[str, torch.Tensor]:
    """The buffers, which nothing trains: equal in all members, but for those of `FixedAffine`."""
    per_member = {id(buffer) for m in model.modules() if isinstance(m, FixedAffine) for buffer in m.buffers()}
    return {name: buffer for name, buffer in model.named_buffers() if id(buffer) not in per_member}


def _describe_parameter(parameter: nn.Parameter | None) -> dict[str, Any]:
    """All that must agree between members' parameters but their numbers."""
    if parameter is None:
        return {"shape": (), "dtype": None, "requires_grad": None}
    return {
        "shape": tuple(parameter.shape),
        "dtype": parameter.dtype,
        "requires_grad": parameter.requires_grad,
    }


def _get_config_values(model: Any) -> dict[str, Any]:
    config = getattr(model, "config", None)
    return {k: v for k, v in config.to_dict().items() if k not in NAME_KEYS} if config is not None else {}
