"""Times a few real steps of a run, to choose between one process with all threads and one worker a core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from headstart.config.expand import Run
from headstart.engine.memory import peak_bytes
from headstart.engine.train import member_turns, train_turns
from headstart.execute.pack import member_of, setting_of
from headstart.execute.prepare import Prepared

#: Steps that fill caches and memory first, steps timed then, and seconds after which none is begun.
WARM, STEPS, PATIENCE = 4, 10, 12.0


@dataclass(frozen=True)
class Probe:
    """Steps of `run` to be timed with `threads` threads."""

    run: Run
    threads: int


@dataclass(frozen=True)
class Timing:
    """Seconds of one step on average, and the process's peak of resident memory in bytes."""

    seconds: float
    peak_memory_bytes: int


def time_steps(probe: Probe, prepared: Prepared) -> Timing:
    """Make the first steps of the probe's run and forget them."""
    setting = setting_of(probe.run, prepared)
    member = member_of(probe.run, prepared, setting)
    turns = islice(member_turns(member, setting), WARM + STEPS)
    marks = list(_until_patience_ends(train_turns(member, turns, setting)))
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
