"""Learning rates and numbers of steps of a pretraining, as pure functions of the step."""

from __future__ import annotations

import math

from headstart.config.pretraining import PretrainingSteps


def count_total_steps(training: PretrainingSteps, blocks: int) -> int:
    """Optimiser steps over `blocks` training blocks; an incomplete one ends the last epoch."""
    return training.steps or max(1, math.ceil(training.epochs * blocks / training.step_blocks))


def count_total_blocks(training: PretrainingSteps, blocks: int) -> int:
    """Blocks that are trained on, each as often as it comes."""
    if training.steps:
        return training.steps * training.step_blocks
    return max(1, round(training.epochs * blocks))


def resolve_share(value: float, total: int) -> int:
    """Steps of a share of `total` below 1, rounded up; else a count."""
    return math.ceil(value * total) if value < 1 else int(value)


def learning_rate(training: PretrainingSteps, step: int, total: int) -> float:
    """The rate of step `step` (0-based) of `total`: linear warm-up from 0, then the schedule.

    linear: to 0 at `total`; cosine: half a period; constant: stays; wsd (warm-up, stable, decay; Hu et al.
    2024, "MiniCPM", section 4): stays, then falls linearly to 0 over the last `decay` steps. As
    transformers' `get_linear_`, `get_cosine_schedule_with_warmup` and `get_wsd_schedule` have them.
    """
    peak, warmup = training.learning_rate, resolve_share(training.warmup, total)
    if step < warmup:
        return peak * step / max(1, warmup)
    progress = (step - warmup) / max(1, total - warmup)
    decay = min(resolve_share(training.decay, total), max(0, total - warmup))
    shape = {
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "constant": 1.0,
        "wsd": min(1.0, (total - step) / max(1, decay)),
    }
    return peak * max(0.0, shape[training.schedule])
