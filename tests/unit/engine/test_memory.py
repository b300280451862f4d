"""Memory figures are those of this process."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from headstart.engine.memory import (
    enable_gradient_checkpointing,
    is_out_of_memory,
    read_peak_bytes,
    reset_peak_memory,
)
from tiny import make_tiny_model


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are reset on Linux only")
def test_the_peak_starts_anew_and_rises_with_what_is_used() -> None:
    block = np.ones(40_000_000)
    high = read_peak_bytes()
    del block
    reset_peak_memory()
    low = read_peak_bytes()
    assert high - low > 200_000_000
    again = np.ones(20_000_000)
    assert read_peak_bytes() - low > 100_000_000
    assert again.sum() == 20_000_000


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("CUDA error: out of memory"), False),
    ],
)
def test_memory_that_runs_out_on_a_gpu_is_known_by_its_messages(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


def test_a_block_is_computed_again_without_a_look_at_torchs_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a CUDA graph is captured, torch refuses to tell its state."""

    def refuse(*_: object) -> None:
        raise AssertionError("the generator's state was asked for")

    model = make_tiny_model("roberta")
    assert enable_gradient_checkpointing(model)
    monkeypatch.setattr(torch, "get_rng_state", refuse)
    model(input_ids=torch.arange(4, 12).view(2, 4)).logits.sum().backward()
    assert next(model.parameters()).grad is not None
