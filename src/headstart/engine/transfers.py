"""Makes buffers on a device and sends them numbers of the host, and waits for nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch


def make_buffers(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, torch.Tensor]:
    """Memory on the device for such arrays, with these in it."""
    return {name: torch.from_numpy(values).to(device, copy=True) for name, values in arrays.items()}


def send_numbers(values: np.ndarray, buffer: torch.Tensor) -> None:
    """Copy numbers into a buffer; to a device without waiting until they are there.

    The copy starts from pinned memory, which torch keeps until it is done.
    """
    source = torch.from_numpy(values)
    buffer.copy_(source.pin_memory() if buffer.is_cuda else source, non_blocking=True)
