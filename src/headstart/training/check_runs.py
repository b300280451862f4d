"""Checks, without memory for weights, that arms' methods fit their models, and models their control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.errors import ModelError
from headstart.methods import load_method
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
                f"a {checkpoint.config.model_type} cannot compute its activations again",
                where=f"arms.{run.arm}.training.gradient_checkpointing",
                fix="set it to false",
            )
        missing = missing_keys.get(run.checkpoint, frozenset())
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
                "virtual tokens stand before a row, and not before each of its examples",
                where=f"arms.{run.arm}.peft",
                fix="set prompts.packing: false",
            )


def check_same_architecture(study: Study, runs: Sequence[Run], checkpoints: Mapping[str, Checkpoint]) -> None:
    """See that arms have the architecture of a control that starts from random weights.

    Random weights are a control for their own architecture only.

    Raises:
        ModelError: an arm has another, and the study does not call itself confounded.
    """
    control = study.control_arm
    of_arm = {run.arm: checkpoints[run.checkpoint] for run in runs}
    if study.confounded or control not in of_arm or study.arms[control].init != "random":
        return
    for name, checkpoint in of_arm.items():
        theirs = of_arm[control].architecture
        differ = [k for k, v in checkpoint.architecture.items() if theirs.get(k) != v]
        if differ:
            shown = ", ".join(f"{k} {checkpoint.architecture[k]} against {theirs.get(k)}" for k in differ[:3])
            raise ModelError(
                f"another architecture than its control {control}: {shown}",
                where=f"arms.{name}.init",
                expected="a checkpoint of the architecture of `model`",
                fix="set `model` to it, or `confounded: true`",
            )
