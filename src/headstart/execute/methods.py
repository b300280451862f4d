"""What each tuning method makes of a run's first model; refuses a method that does not fit it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from headstart.config.expand import Run
from headstart.engine.device import Precision, compute_format, weights_dtype
from headstart.errors import HeadstartError, ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.tuning.adapters import can_merge, wrap
from headstart.tuning.lora import adapt, peft, targets, widen
from headstart.tuning.quantise import bitsandbytes, quantise

#: Texts whose logits a saved probe must give again.
_EXAMPLES = 8


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
            _named(run, "lora.target", lambda model=model, run=run: targets(model, run.lora))
        if run.peft is not None:
            fresh = absent[run.checkpoint]
            _named(run, "peft", lambda model=model, run=run, fresh=fresh: _try(model, run, fresh))


def _named(run: Run, key: str, check: Any) -> None:
    try:
        check()
    except ModelError as error:
        raise _at(error, f"arms.{run.arm}.{key}") from error


def _try(model: nn.Module, run: Run, absent: Collection[str]) -> None:
    assert run.peft is not None
    wrapped = wrap(model, run.peft, 0, absent)
    if not run.pretrained and not can_merge(wrapped):
        raise ModelError(
            "it cannot be merged into random weights, and these are nobody's base",
            expected="a type that can be merged, such as LORA or IA3, or pretrained weights",
        )


def _at(error: HeadstartError, where: str) -> ModelError:
    return ModelError(error.got, where=where, expected=error.expected, fix=error.fix)


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
