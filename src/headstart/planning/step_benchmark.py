"""Benchmarks of a few training steps: what is asked of a process, what it answers, and who can be asked.

The part that runs in the process is `planning.time_steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headstart.config.runs import Run


@dataclass(frozen=True)
class StepBenchmark:
    """Steps of `runs`, trained as one, to be timed with `threads` threads (0: as torch has it) on
    `processors` (none: as the process is) and on the GPU of that number (None: on a CPU)."""

    runs: tuple[Run, ...]
    threads: int
    processors: tuple[int, ...] = ()
    gpu: int | None = None


@dataclass(frozen=True)
class StepTimes:
    """Seconds of one step on average, and the process's peak of resident memory in bytes; on a GPU also of
    the memory that torch reserved there.

    `steps` are the steps timed, each as (tokens of one run with their padding, seconds); `evaluation` is the
    same of one evaluation; `start` are the seconds until the first step.
    """

    seconds: float
    peak_memory_bytes: int
    steps: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    evaluation: tuple[int, float] | None = None
    start: float = 0.0
    peak_device_memory_bytes: int | None = None


def average_seconds(times: Sequence[StepTimes]) -> float:
    """Seconds of a step on average over processes."""
    return sum(process.seconds for process in times) / len(times)


def find_peak_bytes(times: Sequence[StepTimes]) -> int:
    """The most bytes that any of the processes held."""
    return max(process.peak_memory_bytes for process in times)


def find_device_peak_bytes(times: Sequence[StepTimes]) -> int | None:
    """The most bytes that any of the processes reserved on a GPU; None where they computed on a CPU."""
    peaks = [process.peak_device_memory_bytes for process in times]
    return max((peak for peak in peaks if peak is not None), default=None)


class StepTimer(Protocol):
    """Has processes that time steps; every backend is one."""

    def time_steps(self, benchmarks: Sequence[StepBenchmark]) -> list[StepTimes]:
        """Run the benchmarks at once, each in a process of its own, and no other processes beside them.

        Empty where one of them died. Processes of an earlier call may serve again.
        """

    def stop(self) -> None:
        """End the processes, whatever they do; what is asked next begins in new ones."""
