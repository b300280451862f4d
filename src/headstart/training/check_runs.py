"""Checks, without memory for weights, that arms' methods fit their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.errors import ModelError
from headstart.methods import load_method
from headstart.methods.adaptation_task import check_adaptable
from headstart.methods.partial_start import check_start
from headstart.models.checkpoints import Checkpoint


def check_methods(
    runs: Sequence[Run],
    checkpoints: Mapping[str, Checkpoint],
    missing_keys: Mapping[str, frozenset[str]],
) -> None:
    """See, without memory for weights, that each arm's method fits its model.

    Raises:
        ModelError: it does not; names the arm.
        MissingExtraError: a library that a method needs is not installed.
    """
    first = {run.network: run for run in reversed({run.arm: run for run in runs}.values())}
    for run in reversed(first.values()):
        checkpoint = checkpoints[run.checkpoint]
        if run.training.gradient_checkpointing and not checkpoint.can_recompute:
            raise ModelError(
                f"a {checkpoint.config.model_type} does not support recomputing activations",
                where=f"arms.{run.arm}.training.gradient_checkpointing",
                fix="set it to false",
            )
        missing = missing_keys.get(run.checkpoint, frozenset())
        check_adaptable(run, checkpoint)
        check_start(run, checkpoint.build_skeleton())
        load_method(run.method).check(run, checkpoint.build_skeleton(), missing)


def check_packing(study: Study, runs: Sequence[Run]) -> None:
    """See that no arm has virtual tokens where examples share rows.

    They stand before a row, not before each of the examples that share it.

    Raises:
        ModelError: one has; names the arm.
    """
    if not (study.prompts.packing and get_task_traits(study.task).generates):
        return
    for run in runs:
        if run.virtual_tokens:
            raise ModelError(
                "virtual tokens are placed before a row, not before each of its examples",
                where=f"arms.{run.arm}.peft",
                fix="set prompts.packing: false",
            )
