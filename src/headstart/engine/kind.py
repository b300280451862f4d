"""Which of the two engines computes: the host's, or the one for devices that must not wait for the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_forced: ContextVar[bool | None] = ContextVar("forced", default=None)


def uses_device_engine(device: torch.device) -> bool:
    """Whether steps and evaluations run on fixed buffers without reading a number: on all but a CPU."""
    forced = _forced.get()
    return device.type != "cpu" if forced is None else forced


@contextmanager
def force_device_engine() -> Iterator[None]:
    """Have the device's engine compute on a CPU too: the same code but for CUDA's own kernels and graphs."""
    with _force(True):
        yield


@contextmanager
def force_host_engine() -> Iterator[None]:
    """Have the host's engine compute on a device too, waiting for it: it alone shares a batch's rows."""
    with _force(False):
        yield


@contextmanager
def _force(device_engine: bool) -> Iterator[None]:
    token = _forced.set(device_engine)
    try:
        yield
    finally:
        _forced.reset(token)
