"""Tests that need a GPU: marked `gpu`, and skipped where torch sees none. `pytest tests/gpu` runs them all.

With HEADSTART_REHEARSE=1 they run on a CPU, by the device's engine and what stands for captures there: for
who writes them without a GPU at hand. What only a GPU has is then skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

_HERE = Path(__file__).parent
_IS_REHEARSAL = os.environ.get("HEADSTART_REHEARSE") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, and skip it without a GPU."""
    skip = pytest.mark.skip(reason="needs a GPU that torch can use")
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        item.add_marker("gpu")
        if not torch.cuda.is_available() and not _IS_REHEARSAL:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The GPU; in a rehearsal the CPU."""
    return torch.device("cpu" if _IS_REHEARSAL else "cuda")


@pytest.fixture
def gpu(device: torch.device) -> torch.device:
    """The GPU, for what a CPU cannot stand for."""
    if device.type != "cuda":
        pytest.skip("nothing on a CPU stands for it")
    return device
