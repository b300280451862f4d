"""Rates of a pretraining against the schedules of transformers."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
    get_wsd_schedule,
)

from headstart.config.pretraining import PretrainingSteps
from headstart.pretraining.schedule import count_total_blocks, count_total_steps, learning_rate

TOTAL, WARMUP, DECAY = 20, 4, 6


@pytest.mark.parametrize("name", ["linear", "cosine", "wsd"])
def test_rates_are_those_of_transformers(name: str) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    peers = {
        "linear": lambda: get_linear_schedule_with_warmup(optimiser, WARMUP, TOTAL),
        "cosine": lambda: get_cosine_schedule_with_warmup(optimiser, WARMUP, TOTAL),
        "wsd": lambda: get_wsd_schedule(
            optimiser, WARMUP, DECAY, num_training_steps=TOTAL, decay_type="linear"
        ),
    }
    peer = peers[name]()
    ours = PretrainingSteps(schedule=name, warmup=WARMUP, decay=DECAY, learning_rate=0.5, steps=TOTAL)
    for step in range(TOTAL):
        assert learning_rate(ours, step, TOTAL) == pytest.approx(peer.get_last_lr()[0], abs=1e-12)
        optimiser.step()
        peer.step()


def test_shares_of_steps_are_rounded_up() -> None:
    ours = PretrainingSteps(schedule="wsd", warmup=0.1, decay=0.5, learning_rate=1.0, steps=10)
    rates = [learning_rate(ours, step, 10) for step in range(10)]
    assert rates == pytest.approx([0, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_an_incomplete_step_ends_the_last_epoch() -> None:
    ours = PretrainingSteps(batch_size=4, accumulation=2, epochs=1.5)
    assert count_total_blocks(ours, 10) == 15
    assert count_total_steps(ours, 10) == 2
