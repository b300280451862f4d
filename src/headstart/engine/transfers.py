"""Sends numbers of the host to buffers on a device, and waits for nothing."""

from __future__ import annotations

import numpy as np
import torch


def send_numbers(values: np.ndarray, buffer: torch.Tensor) -> None:
    """Copy numbers into a buffer; to a device without waiting until they are there.

    The copy starts from pinned memory, which torch keeps until it is done.
    """
    source = torch.from_numpy(values)
    buffer.copy_(source.pin_memory() if buffer.is_cuda else source, non_blocking=True)
