"""Chooses how a study trains on this machine: processes, threads, and runs in a pack, by timing real steps.

A pack is formed only where the probe saw it make more run-steps in the same time than its runs one after
another, and where memory holds it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import psutil

from headstart.config.expand import Run
from headstart.config.traits import method_traits
from headstart.engine.schedule import total_steps
from headstart.execute.pin import usable
from headstart.execute.probe import Probe, Timing
from headstart.training.grouping import Group

#: Of the memory that is free, the share that workers may fill.
_MEMORY_SHARE = 0.8
#: Steps of a whole study below which a probe of some tens would cost more than it can save.
_WORTH_A_PROBE = 200
#: A larger pack must be this much faster a run-step: less is noise, and a small pack frees memory.
_GAIN = 1.05

Auto = Literal["auto"]


@dataclass(frozen=True)
class Crew:
    """How the study is trained: `workers` processes (0: this one) of `threads` threads (0: as torch has it),
    at most `pack` runs as one, and why.

    `seconds` is what a step of one run costs so, where it was probed; `timings` are then the probe's, of
    packs of `timed_runs` runs that began with the run of the key `timed`.
    """

    workers: int
    threads: int
    reason: str
    pack: int = 1
    seconds: float | None = None
    timings: tuple[Timing, ...] = field(default=(), compare=False)
    timed: str = field(default="", compare=False)
    timed_runs: int = field(default=1, compare=False)


class Prober(Protocol):
    """Has processes that time steps."""

    def resize(self, count: int) -> None:
        """Have exactly `count` processes."""

    def ask(self, probes: Sequence[Probe]) -> list[Timing]:
        """The timing of a probe each, all at once; empty where one of them died."""


def cores() -> int:
    """How many processors this process may use."""
    return len(usable()) or os.cpu_count() or 1


def choose_crew(
    groups: Sequence[Group],
    texts: dict[str, int],
    prober: Prober,
    *,
    workers: int | Auto,
    pack: int | Auto,
    device: str,
    bytes_each: int = 0,
) -> Crew:
    """The crew for a study that asks for `workers` and `pack`; `texts` is how many each run learns from.

    `bytes_each` is what a process is expected to need: no more are tried than memory then holds.
    """
    neural = [group for group in groups if method_traits(group.runs[0].method).has_steps]
    if not neural:
        return _quick(groups, workers)
    largest = max(neural, key=lambda group: (group.most, len(group.runs)))
    steps = sum(total_steps(run.training, texts[run.key]) for group in neural for run in group.runs)
    count = sum(len(group.runs) for group in neural)
    fits = _fitting(bytes_each, 0) if bytes_each else count
    crew = _processes(count, fits, largest.runs[0], steps, prober, workers, device)
    if pack != "auto":
        return replace(crew, pack=pack)
    share = -(-largest.most // max(1, crew.workers))
    if share < 2 or steps < _WORTH_A_PROBE:
        return crew
    return _with_packs(crew, largest.runs, share, prober)


def _quick(groups: Sequence[Group], asked: int | Auto) -> Crew:
    """For probes and bags of words alone, which take seconds."""
    probes = sum(len(group.runs) for group in groups if group.runs[0].method == "probe")
    if not probes:
        return Crew(1, cores(), "a bag of words needs no more")
    count = max(1, min(probes, cores() if asked == "auto" else asked))
    return Crew(count, max(1, cores() // count), "probes need no more")


def _processes(
    runs: int, fits: int, first: Run, steps: int, prober: Prober, asked: int | Auto, device: str
) -> Crew:
    """How many processes, with packs of one."""
    if asked != "auto":
        count = max(1, min(asked, runs))
        return Crew(count, max(1, cores() // count), "asked for")
    if device != "cpu":
        return Crew(1, 0, f"one process on {device}")
    most = min(cores(), runs)
    if most < 2:
        return Crew(1, cores(), "one run at a time")
    if fits < 2:
        return Crew(1, cores(), f"memory holds one of {most} workers")
    most = min(most, fits)
    if steps < _WORTH_A_PROBE:
        return Crew(most, max(1, cores() // most), "too few steps for a probe")
    return _probe_processes(first, prober, most)


def _probe_processes(run: Run, prober: Prober, most: int) -> Crew:
    """Time `most` workers at once with their share of threads, then one alone with all."""
    each = max(1, cores() // most)
    prober.resize(most)
    together = prober.ask([Probe((run,), each)] * most)
    prober.resize(most)  # a probe that killed a process has left none
    alone = prober.ask([Probe((run,), cores())])
    if not together or not alone:
        return Crew(1, cores(), "the probe failed; one process with all threads")
    shared, single = _mean(together) / most, alone[0].seconds
    measured = f"probe: {most} workers {_ms(shared)} a step, one process {_ms(single)}"
    fits = _fitting(max(t.peak_memory_bytes for t in together), most)
    if fits < most:
        reason = f"{measured}; memory holds {fits} of {most} workers"
        return Crew(1, cores(), reason, 1, single, tuple(alone), run.key)
    if shared < single:
        return Crew(most, each, measured, 1, shared, tuple(together), run.key)
    return Crew(1, cores(), measured, 1, single, tuple(alone), run.key)


def _with_packs(crew: Crew, runs: Sequence[Run], most: int, prober: Prober) -> Crew:
    """Double the pack while a step of one run in it gets cheaper and memory holds it."""
    prober.resize(crew.workers)
    best, timings = crew.seconds, crew.timings
    if best is None:
        best, timings = _time_packs(crew, runs[:1], prober)
    tried = [f"1 run {_ms(best)}"]
    size = 1
    while size < most:
        larger = min(2 * size, most)
        seconds, found = _time_packs(crew, runs[:larger], prober)
        tried.append(f"{larger} as one {_ms(seconds)}")
        if not seconds * _GAIN < best:
            break
        size, best, timings = larger, seconds, found
    reason = f"{crew.reason}; a step of a run: {', '.join(tried)}"
    return replace(crew, pack=size, reason=reason, timings=timings, timed=runs[0].key, timed_runs=size)


def _time_packs(crew: Crew, runs: Sequence[Run], prober: Prober) -> tuple[float, tuple[Timing, ...]]:
    """Seconds that a step of one run costs in packs of these in all workers, infinite if it cannot be; and
    what was timed."""
    timings = prober.ask([Probe(tuple(runs), crew.threads)] * crew.workers)
    if not timings:
        prober.resize(crew.workers)
        return float("inf"), ()
    if _fitting(max(t.peak_memory_bytes for t in timings), crew.workers) < crew.workers:
        return float("inf"), ()
    return _mean(timings) / len(runs) / crew.workers, tuple(timings)


def _fitting(bytes_each: int, started: int) -> int:
    """How many workers memory holds: what those `started` for the probe hold is theirs again."""
    free = psutil.virtual_memory().available
    return max(1, int(_MEMORY_SHARE * (free + started * bytes_each) // bytes_each))


def _mean(timings: Sequence[Timing]) -> float:
    return sum(t.seconds for t in timings) / len(timings)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms" if seconds < float("inf") else "out of memory"
