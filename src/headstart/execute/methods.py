"""What each tuning method makes of a run's first model; refuses a method that does not fit it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from headstart.config.expand import Run
from headstart.engine.device import Precision, compute_format, weights_dtype
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.tuning.adapters import can_merge, wrap
from headstart.tuning.lora import adapt, peft, targets, widen
from headstart.tuning.quantise import bitsandbytes, quantise


def check_methods(
    runs: Sequence[Run], checkpoints: Mapping[str, Checkpoint], absent: Mapping[str, Collection[str]]
) -> None:
    """See, without memory for weights, that each arm's method fits its model.

    Raises:
        ModelError: an adapter's target is in no layer, or PEFT refuses a configuration; names the arm.
        MissingExtraError: a library that a method needs is not installed.
    """
    for run in {run.arm: run for run in runs}.values():
        model: Any = checkpoints[run.checkpoint].skeleton()
        if run.training.gradient_checkpointing and not model.supports_gradient_checkpointing:
            raise ModelError(
                f"a {model.config.model_type} cannot compute its activations again",
                where=f"arms.{run.arm}.training.gradient_checkpointing",
                fix="set it to false",
            )
        if run.lora is not None:
            peft()
            if run.method == "qlora":
                bitsandbytes()
            with _named(f"arms.{run.arm}.lora.target"):
                targets(model, run.lora)
        if run.peft is not None:
            with _named(f"arms.{run.arm}.peft"):
                _check_peft(model, run.peft, run.pretrained, absent[run.checkpoint])


@contextmanager
def _named(where: str) -> Iterator[None]:
    """What is wrong with a model or its method, said of the key that chose it."""
    try:
        yield
    except ModelError as error:
        raise ModelError(error.got, where=where, expected=error.expected, fix=error.fix) from error


def _check_peft(
    model: nn.Module, config: Mapping[str, Any], pretrained: bool, absent: Collection[str]
) -> None:
    try:
        wrapped = wrap(model, config, 0, absent)
    except (RuntimeError, NotImplementedError):  # it has to see the model's numbers, as singular vectors do
        return
    if not pretrained and not can_merge(wrapped):
        raise ModelError(
            "it cannot be merged into random weights, and these are nobody's base",
            expected="a type that can be merged, such as LORA or IA3, or pretrained weights",
        )


def tuned(
    model: nn.Module,
    run: Run,
    absent: Collection[str],
    device: torch.device,
    precision: Precision,
    rank: int = 0,
) -> nn.Module:
    """A run's first model as its method trains it, on `device`; `model` itself is changed.

    Args:
        absent: names of the weights that the checkpoint lacks.
        rank: of a pack's widest adapter: narrower ones get rows of zeros.
    """
    if run.method == "qlora":
        quantise(model, device, compute_format(precision))
    if run.lora is not None:
        adapt(model, run.lora, run.seed, absent)
        if rank > run.lora.r:
            widen(model, rank)
    if run.peft is not None:
        model = wrap(model, run.peft, run.seed, absent)
    return model.to(device, weights_dtype(precision))
