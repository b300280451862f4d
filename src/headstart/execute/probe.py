"""Times a few real steps of runs, alone or as a pack; what they learn is forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from headstart.config.expand import Run
from headstart.engine.memory import is_out_of_memory, peak_bytes, reset_peak
from headstart.engine.train import single_steps
from headstart.errors import StackError
from headstart.execute.assemble import members_of, setting_of, weights_of
from headstart.execute.prepare import Prepared

#: Steps that fill caches and memory first, steps timed then, and seconds after which none is begun.
WARM, STEPS, PATIENCE = 4, 10, 12.0


@dataclass(frozen=True)
class Probe:
    """Steps of `runs`, trained as one, to be timed with `threads` threads (0: as torch has it) on
    `processors` (none: as the process is)."""

    runs: tuple[Run, ...]
    threads: int
    processors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Timing:
    """Seconds of one step on average, and the process's peak of resident memory in bytes."""

    seconds: float
    peak_memory_bytes: int


def time_steps(probe: Probe, prepared: Prepared) -> Timing:
    """Make the first steps of the probe's runs and forget them; infinite seconds where memory runs out."""
    reset_peak()
    setting = setting_of(probe.runs[0], prepared)
    try:
        weights = weights_of(probe.runs, prepared, setting)
        steps = single_steps(members_of(probe.runs, prepared), weights, setting)
        marks = list(_until_patience_ends(islice(steps, WARM + STEPS)))
    except (RuntimeError, MemoryError, StackError) as error:
        if not isinstance(error, StackError) and not is_out_of_memory(error):
            raise
        return Timing(float("inf"), peak_bytes())
    spans = [b - a for a, b in pairwise(marks)]
    timed = spans[WARM - 1 :] or spans[-1:]  # a run of few steps, or of very long ones, has few to time
    return Timing(sum(timed) / len(timed) if timed else 0.0, peak_bytes())


def _until_patience_ends(steps: Iterator[None]) -> Iterator[float]:
    """The time after each step."""
    started = time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        yield now
        if now - started > PATIENCE:
            return
