"""Learning rates and numbers of steps of a pretraining, as pure functions of the step."""

from __future__ import annotations

import math

from headstart.config.pretraining import PretrainingSteps
from headstart.engine.schedule import scheduled_rate
from headstart.errors import TrainingError


def count_total_steps(training: PretrainingSteps, blocks: int) -> int:
    """Optimiser steps over `blocks` training blocks; an incomplete one ends the last epoch."""
    return training.steps or max(1, math.ceil(training.epochs * blocks / training.step_blocks))


def count_total_blocks(training: PretrainingSteps, blocks: int) -> int:
    """Blocks that are trained on, each as often as it comes."""
    if training.steps:
        return training.steps * training.step_blocks
    return max(1, round(training.epochs * blocks))


def check_warmup(training: PretrainingSteps, blocks: int) -> None:
    """See that the warm-up ends, where the blocks decide how many steps there are.

    Raises:
        TrainingError: it would outlast the training.
    """
    total = count_total_steps(training, blocks)
    if training.warmup > total:
        raise TrainingError(
            f"{training.warmup:,g} steps of warm-up, of {total:,} in all, so that the rate never reaches its "
            "peak",
            where="training.warmup",
            expected=f"a share below 1, or at most {total:,} steps",
            fix="training.warmup=0.06",
        )


def learning_rate(training: PretrainingSteps, step: int, total: int) -> float:
    """The rate of step `step` (0-based) of `total`, as `engine.schedule.scheduled_rate` has it."""
    rate, warmup = training.learning_rate, training.warmup
    return scheduled_rate(training.schedule, rate, warmup, step, total, training.decay)
