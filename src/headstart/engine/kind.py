"""Which of the two engines computes: the host's, or the one for devices that must not wait for the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_forced: ContextVar[bool] = ContextVar("forced", default=False)


def uses_device_engine(device: torch.device) -> bool:
    """Whether steps and evaluations run on fixed buffers without reading a number: on all but a CPU."""
    return device.type != "cpu" or _forced.get()


@contextmanager
def force_device_engine() -> Iterator[None]:
    """Have the device's engine compute on a CPU too: the same code but for CUDA's own kernels and graphs."""
    token = _forced.set(True)
    try:
        yield
    finally:
        _forced.reset(token)
