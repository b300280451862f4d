"""transformers' own schedulers as the oracle, step by step."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from transformers import get_scheduler

from headstart.config.study import Training
from headstart.engine.schedule import count_epoch_steps, count_total_steps, count_warmup_steps, learning_rate


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0, 0.06, 0.25, 7])
def test_rates_are_transformers(schedule: Literal["linear", "cosine", "constant"], warmup: float) -> None:
    total, training = 50, Training(schedule=schedule, warmup=warmup, learning_rate=2e-4)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
    name = {"constant": "constant_with_warmup"}.get(schedule, schedule)
    scheduler = get_scheduler(
        name, optimiser, num_warmup_steps=count_warmup_steps(training, total), num_training_steps=total
    )
    for step in range(total):
        assert learning_rate(training, step, total) == pytest.approx(
            optimiser.param_groups[0]["lr"], abs=1e-18
        )
        optimiser.step()
        scheduler.step()


@pytest.mark.parametrize(("warmup", "steps"), [(0.06, 6), (0.061, 7), (0, 0), (1, 1), (12, 12)])
def test_warmup_below_one_is_a_share_rounded_up(warmup: float, steps: int) -> None:
    assert count_warmup_steps(Training(warmup=warmup), 100) == steps


@pytest.mark.parametrize(
    ("texts", "batch", "accumulation", "steps"),
    [(100, 8, 1, 13), (100, 8, 4, 4), (5, 8, 1, 1), (96, 8, 4, 3)],
)
def test_steps_of_an_epoch(texts: int, batch: int, accumulation: int, steps: int) -> None:
    training = Training(batch_size=batch, accumulation=accumulation, epochs=3)
    assert count_epoch_steps(training, texts) == steps
    assert count_total_steps(training, texts) == 3 * steps


def test_steps_take_the_place_of_epochs() -> None:
    assert count_total_steps(Training(steps=17), 1000) == 17
