"""Steps and evaluations that are captured as CUDA graphs give the bits of those that are not, each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from device_packs import (
    EVEN,
    FAMILIES,
    Setting,
    Trained,
    assert_captured,
    assert_same_bits,
    evaluate_often,
    shorten,
)
from headstart.device import Precision
from headstart.engine.device_steps import EVALUATIONS_PER_CAPTURE
from tiny import make_tiny_run

families = pytest.mark.parametrize("family", FAMILIES)
precisions = pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.long)])


@precisions
@families
def test_captured_steps_give_the_bits_of_eager_ones_and_of_a_second_time(
    family: str, precision: Precision, device: torch.device
) -> None:
    setting = Setting(device, family, precision)
    captured, again = Trained(EVEN, setting), Trained(EVEN, setting)
    assert_captured(captured)
    assert_same_bits(captured, again)
    eager = Trained(EVEN, replace(setting, captures="off"))
    assert not eager.notes.captured
    assert_same_bits(captured, eager)


@precisions
@families
def test_another_seed_gives_others(family: str, precision: Precision, device: torch.device) -> None:
    """From the same weights: texts come in another order, and other numbers are dropped."""
    setting, (run, index) = Setting(device, family, precision), shorten(EVEN[0])
    losses = []
    for seed in (run.seed, 7):
        trained = Trained([(replace(run, seed=seed), index)], setting, weights=setting.make_weights([0]))
        losses.append(trained.losses(0))
    assert losses[0] != losses[1], str(setting)


@precisions
@pytest.mark.parametrize("family", ["bert", "gpt2", "mpnet"])
def test_batches_of_thousands_of_tokens_give_the_same_bits(
    family: str, precision: Precision, device: torch.device
) -> None:
    """Torch adds up an embedding's gradient in other kernels from 3072 tokens on."""
    setting = Setting(device, family, precision, texts=360)
    cases = [(make_tiny_run(seed, epochs=1, batch_size=60), np.arange(360)) for seed in range(6)]
    captured = Trained(cases, setting)
    assert_captured(captured)
    assert_same_bits(captured, Trained(cases, replace(setting, captures="off")))


@precisions
@pytest.mark.parametrize("family", ["bert", "llama", "modernbert"])
def test_long_texts_without_dropout_give_the_same_bits(
    family: str, precision: Precision, device: torch.device
) -> None:
    """Attention is then a kernel of torch's, whose backward pass may add up blocks in any order."""
    setting = Setting(device, family, precision, dropout=0.0, texts=48, longest=400)
    cases = [(make_tiny_run(seed, epochs=1), np.arange(48)) for seed in range(2)]
    captured = Trained(cases, setting)
    assert_captured(captured)
    assert_same_bits(captured, Trained(cases, setting))
    assert_same_bits(captured, Trained(cases, replace(setting, captures="off")))


@pytest.mark.parametrize("family", ["roberta", "gpt2"])
def test_a_bf16_copy_of_the_weights_changes_no_bit(family: str, device: torch.device) -> None:
    plain = Setting(device, family, "bf16")
    narrow = replace(plain, narrow=True)
    captured = Trained(EVEN, narrow)
    assert_captured(captured)
    assert_same_bits(captured, Trained(EVEN, replace(narrow, captures="off")))
    assert_same_bits(captured, Trained(EVEN, plain))


@precisions
@families
@pytest.mark.parametrize("members", [1, 3])
def test_captured_evaluations_give_the_bits_of_eager_ones(
    family: str, precision: Precision, members: int, device: torch.device
) -> None:
    """Eager ones until a capture pays, the one that is captured, and a replay."""
    setting = Setting(device, family, precision)
    captured, notes = evaluate_often(setting, members, times=EVALUATIONS_PER_CAPTURE + 2)
    assert notes.captured, f"{setting}: {notes.eager_reason}"
    eager, _ = evaluate_often(replace(setting, captures="off"), members, times=1)
    for time, outputs in enumerate(captured):
        assert torch.equal(outputs, eager[0]), f"{setting}, time {time}"
