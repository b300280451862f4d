"""Holds the losses and norms of the last steps on the device, and reads them all at once.

A loss that the host reads makes it wait until the device has done all that it was told. Read seldom, and a
block late, the host runs ahead and the device never idles while steps are told of; how a run goes on does not
depend on when it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headstart.engine.member import StepMark

#: Steps between two reads on a device. There a step takes the host about a millisecond to start: 16 keep
#: the device busy, and a member that has diverged costs the pack 31 steps at most.
_STEPS_BETWEEN_READS = 16


def choose_read_interval(device: torch.device) -> int:
    """How many steps are made before their losses are read: one on a CPU, which computes when it is told."""
    return 1 if device.type == "cpu" else _STEPS_BETWEEN_READS


@dataclass(frozen=True)
class StepOutcome:
    """A step's `losses` [R] and `norms` [R] before clipping as numbers, and the members' `marks` [R]."""

    losses: np.ndarray
    norms: np.ndarray
    marks: Sequence[StepMark]


@dataclass(frozen=True)
class _Block:
    """Steps whose numbers [steps, 2, R] are on their way to the host, where they are once `arrived`."""

    numbers: torch.Tensor
    marks: list[Sequence[StepMark]]
    arrived: torch.cuda.Event | None


class StepRing:
    """At most `size` steps of R members that were made since the last read.

    Args:
        lags: `read_early` leaves them on their way, and gives those of the time before.
    """

    def __init__(self, size: int, *, lags: bool = False) -> None:
        self._size, self._lags = size, lags
        self._numbers: list[torch.Tensor] = []
        self._marks: list[Sequence[StepMark]] = []
        self._sent: _Block | None = None

    @property
    def is_full(self) -> bool:
        """Whether the steps are to be read before the next is made."""
        return len(self._marks) >= self._size

    def push(self, numbers: torch.Tensor, marks: Sequence[StepMark]) -> None:
        """Keep a step's losses and norms, float64 [2, R], where they are, with the marks of the members."""
        self._numbers.append(numbers)
        self._marks.append(marks)

    def read_early(self) -> list[StepOutcome]:
        """Steps that the device has most likely done, in order; none of them stays."""
        if not self._lags:
            return self.read()
        sent, self._sent = self._sent, self._send()
        return _receive(sent)

    def read(self) -> list[StepOutcome]:
        """All steps since they were last read, in order; none of them stays."""
        sent, self._sent = self._sent, None
        return [*_receive(sent), *_receive(self._send())]

    def _send(self) -> _Block | None:
        """Start what is here on its way to the host."""
        if not self._marks:
            return None
        numbers, arrived = _start_copy(torch.stack(self._numbers))
        block = _Block(numbers, self._marks, arrived)
        self._numbers, self._marks = [], []
        return block


def _start_copy(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.cuda.Event | None]:
    """Memory of the host that the numbers are being copied to, and what tells when they are there."""
    if not numbers.is_cuda:
        return numbers, None
    host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    host.copy_(numbers, non_blocking=True)
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record()
    return host, arrived


def _receive(block: _Block | None) -> list[StepOutcome]:
    """The steps of a block, once it is there."""
    if block is None:
        return []
    numbers = zip(read_numbers(block.numbers, block.arrived), block.marks, strict=True)
    return [StepOutcome(losses, norms, marks) for (losses, norms), marks in numbers]


def read_numbers(numbers: torch.Tensor, arrived: torch.cuda.Event | None) -> np.ndarray:
    """Numbers on the host, once they have arrived: in steps, the only place that waits for the device."""
    if arrived is not None:
        arrived.synchronize()
    return numbers.cpu().numpy()
