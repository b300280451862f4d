"""Learning rates and numbers of steps of a pretraining, as pure functions of the step."""

from __future__ import annotations

import math

from headstart.config.pretraining import PretrainingSteps
from headstart.engine.schedule import scheduled_rate


def count_total_steps(training: PretrainingSteps, blocks: int) -> int:
    """Optimiser steps over `blocks` training blocks; an incomplete one ends the last epoch."""
    return training.steps or max(1, math.ceil(training.epochs * blocks / training.step_blocks))


def count_total_blocks(training: PretrainingSteps, blocks: int) -> int:
    """Blocks that are trained on, each as often as it comes."""
    if training.steps:
        return training.steps * training.step_blocks
    return max(1, round(training.epochs * blocks))


def learning_rate(training: PretrainingSteps, step: int, total: int) -> float:
    """The rate of step `step` (0-based) of `total`, as `engine.schedule.scheduled_rate` has it."""
    rate, warmup = training.learning_rate, training.warmup
    return scheduled_rate(training.schedule, rate, warmup, step, total, training.decay)
