"""Learning rates as a pure function of the step; the three schedules of transformers' `get_scheduler`."""

from __future__ import annotations

import math

from headstart.config.study import Training


def count_warmup_steps(training: Training, total: int) -> int:
    """Steps of warm-up: a share of `total` below 1, rounded up, else a count."""
    return math.ceil(training.warmup * total) if training.warmup < 1 else int(training.warmup)


def learning_rate(training: Training, step: int, total: int) -> float:
    """The rate of step `step` (0-based) of `total`: linear warm-up from 0, then the schedule.

    linear: to 0 at `total`; cosine: half a period, (1 + cos(pi x)) / 2; constant: stays.
    """
    peak, warmup = training.peak_rate, count_warmup_steps(training, total)
    if step < warmup:
        return peak * step / max(1, warmup)
    progress = (step - warmup) / max(1, total - warmup)
    shape = {"linear": 1 - progress, "cosine": (1 + math.cos(math.pi * progress)) / 2, "constant": 1.0}
    return peak * max(0.0, shape[training.schedule])


def count_total_steps(training: Training, n_examples: int) -> int:
    """Optimiser steps of a run on `n_examples` training examples."""
    return training.steps or training.epochs * count_epoch_steps(training, n_examples)


def count_epoch_steps(training: Training, n_examples: int) -> int:
    """Optimiser steps in one pass over `n_examples` examples; an incomplete one ends it."""
    return math.ceil(math.ceil(n_examples / training.batch_size) / training.accumulation)
