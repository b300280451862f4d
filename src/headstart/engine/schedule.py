"""Learning rates as a pure function of the step: the schedules of transformers' `get_scheduler`."""

from __future__ import annotations

import math

from headstart.config.study import Training


def resolve_steps(value: float, total: int) -> int:
    """Steps of a share of `total` below 1, rounded up; else a count."""
    return math.ceil(value * total) if value < 1 else int(value)


def count_warmup_steps(training: Training, total: int) -> int:
    """Steps of warm-up, of `total`."""
    return resolve_steps(training.warmup, total)


def learning_rate(training: Training, step: int, total: int) -> float:
    """The rate of step `step` (0-based) of `total`: linear warm-up from 0, then the schedule."""
    return scheduled_rate(training.schedule, training.peak_rate, training.warmup, step, total)


def scheduled_rate(
    schedule: str, peak: float, warmup: float, step: int, total: int, decay: float = 0
) -> float:
    """The rate of step `step` (0-based) of `total`: linear warm-up from 0 to `peak`, then the schedule.

    linear: to 0 at `total`; cosine: half a period, (1 + cos(pi x)) / 2; constant: stays; wsd (warm-up,
    stable, decay; Hu et al. 2024, "MiniCPM", section 4): stays, then falls linearly to 0 over the last
    `decay` steps. As transformers' `get_linear_`, `get_cosine_schedule_with_warmup` and `get_wsd_schedule`
    have them. `warmup` and `decay` are shares of `total` below 1, else counts.
    """
    rising = resolve_steps(warmup, total)
    if step < rising:
        return peak * step / max(1, rising)
    progress = (step - rising) / max(1, total - rising)
    falling = min(resolve_steps(decay, total), max(0, total - rising))
    shape = {
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "constant": 1.0,
        "wsd": min(1.0, (total - step) / max(1, falling)),
    }
    return peak * max(0.0, shape[schedule])


def count_total_steps(training: Training, n_examples: int) -> int:
    """Optimiser steps of a run on `n_examples` training examples."""
    return training.steps or training.epochs * count_epoch_steps(training, n_examples)


def count_epoch_steps(training: Training, n_examples: int) -> int:
    """Optimiser steps in one pass over `n_examples` examples; an incomplete one ends it."""
    return math.ceil(math.ceil(n_examples / training.batch_size) / training.accumulation)
