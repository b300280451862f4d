"""Holds the losses and norms of the last steps on the device, and reads them all at once.

A loss that the host reads makes it wait until the device has done all that it was told. Read seldom, the
host runs ahead and the device never idles; how a run goes on does not depend on when it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headstart.engine.member import StepMark

#: Steps between two reads on a device. There a step takes the host about a millisecond to start: 16 keep
#: the device busy, and a member that has diverged costs the pack 15 steps at most.
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


class StepRing:
    """At most `size` steps of R members that were made and not yet read."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._numbers: list[torch.Tensor] = []
        self._marks: list[Sequence[StepMark]] = []

    @property
    def is_full(self) -> bool:
        """Whether the steps are to be read before the next is made."""
        return len(self._marks) >= self._size

    def push(self, losses: torch.Tensor, norms: torch.Tensor, marks: Sequence[StepMark]) -> None:
        """Keep a step's losses [R] and norms [R] where they are, with the members' marks after it."""
        self._numbers.append(torch.stack([losses.double(), norms.double()]))
        self._marks.append(marks)

    def read(self) -> list[StepOutcome]:
        """The steps since the last read, in order; none of them stays."""
        if not self._marks:
            return []
        numbers = read_numbers(torch.stack(self._numbers))
        outcomes = [
            StepOutcome(losses, norms, marks)
            for (losses, norms), marks in zip(numbers, self._marks, strict=True)
        ]
        self._numbers, self._marks = [], []
        return outcomes


def read_numbers(numbers: torch.Tensor) -> np.ndarray:
    """A tensor as numbers on the host: in training steps, the only place that waits for the device."""
    return numbers.cpu().numpy()
