"""Chooses how a study trains on this machine: processes, threads, and runs in a pack, by timing real steps.

A pack is formed only where the timed steps saw it make more run-steps in the same time than its runs one
after another, and where memory holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from headstart.config.runs import Run
from headstart.config.traits import get_method_traits
from headstart.engine.schedule import count_total_steps
from headstart.planning.gpu_placement import (
    EstimateDeviceMemory,
    fill_gpus,
    is_held_by_gpus,
    share_runs,
    spread_over_gpus,
)
from headstart.planning.host import HERE, Host
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import (
    StepBenchmark,
    StepTimer,
    StepTimes,
    average_seconds,
    find_peak_bytes,
)
from headstart.records import Gpu
from headstart.training.grouping import Group

#: Of the memory that is free, the share that workers may fill.
_MEMORY_SHARE: Final = 0.8
#: Steps of a whole study below which timing some tens would cost more than it can save.
_WORTH_TIMING: Final = 200
#: The same on a GPU, where a run's share of a step may take a millisecond, and making models, kernels and
#: graphs for each size of pack takes seconds. On one NVIDIA H100 no size was faster than what is taken
#: without timing by more than 4%, at seven shapes and lengths (docs/gpu.md): some seconds of so many steps.
_WORTH_TIMING_ON_GPU: Final = 200_000
#: The same where nothing is known of the memory that runs need, so that without timing each trains by itself:
#: there that took up to four times as long a run.
_WORTH_TIMING_UNKNOWN_ON_GPU: Final = 20_000
#: A larger pack must be this much faster a run-step: less is noise, and a small pack frees memory.
_GAIN: Final = 1.05

Auto = Literal["auto"]


def choose_placement(
    groups: Sequence[Group],
    examples: Mapping[str, int],
    timer: StepTimer,
    *,
    workers: int | Auto,
    pack: int | Auto,
    bytes_each: int = 0,
    gpus: Sequence[Gpu] = (),
    estimate: EstimateDeviceMemory = lambda group, runs: None,
    host: Host = HERE,
) -> Placement:
    """The placement of a study that asks for `workers` and `pack`, on each of the machines that train.

    Args:
        examples: how many each run learns from, by its key.
        bytes_each: what a process is expected to need: no more are tried than memory then holds.
        gpus: that train; none where a CPU does.
        estimate: what runs as one are expected to need of a GPU.
        host: one of these machines.
    """
    stepping = [group for group in groups if get_method_traits(group.runs[0].method).has_steps]
    if not stepping:
        return _place_quick_runs(groups, workers, gpus, host)
    largest = max(stepping, key=lambda group: (group.most, len(group.runs)))
    steps = sum(
        count_total_steps(run.training, examples[run.key]) for group in stepping for run in group.runs
    )
    if gpus:
        placement = spread_over_gpus(stepping, gpus, workers, 1 if pack == "auto" else pack, host)
    else:
        count = host.share(sum(len(group.runs) for group in stepping))
        fitting = _count_fitting(bytes_each, 0, host) if bytes_each else count
        placement = _choose_workers(count, fitting, largest.runs[0], steps, timer, workers, host)
    if pack != "auto":
        return replace(placement, pack=pack)
    share = share_runs(largest, placement, host)
    is_known = estimate(largest, 1) is not None
    if gpus and steps < (_WORTH_TIMING_ON_GPU if is_known else _WORTH_TIMING_UNKNOWN_ON_GPU):
        return fill_gpus(placement, stepping, gpus, estimate, host)
    if share < 2 or steps < _WORTH_TIMING:
        return placement
    return _choose_pack(placement, largest.runs, share, timer, gpus, host)


def _place_quick_runs(
    groups: Sequence[Group], workers: int | Auto, gpus: Sequence[Gpu], host: Host
) -> Placement:
    """For probes and bags of words alone, which take seconds; on GPUs, one process each is enough."""
    tiny = [group for group in groups if get_method_traits(group.runs[0].method).is_tiny]
    probes = host.share(sum(len(group.runs) for group in tiny))
    if not probes:
        return Placement(1, host.count_threads(1), "a bag of words needs only one")
    enough = len(gpus) or host.count_processors()
    n_workers = max(1, min(probes, enough if workers == "auto" else workers))
    return Placement(n_workers, host.count_threads(n_workers), "probes need only one")


def _choose_workers(
    runs: int, fitting: int, first: Run, steps: int, timer: StepTimer, workers: int | Auto, host: Host
) -> Placement:
    """How many processes on a CPU, with packs of one."""
    if workers != "auto":
        count = max(1, min(workers, runs))
        return Placement(count, host.count_threads(count), "asked for")
    most = min(host.count_processors(), runs)
    if most < 2:
        return Placement(1, host.count_threads(1), "one run at a time")
    if fitting < 2:
        return Placement(1, host.count_threads(1), f"memory fits one of {most} workers")
    most = min(most, fitting)
    if steps < _WORTH_TIMING:
        return Placement(most, host.count_threads(most), "too few steps for a probe")
    return _time_workers(first, timer, most, host)


def _time_workers(run: Run, timer: StepTimer, most: int, host: Host) -> Placement:
    """Time `most` workers at once with their share of threads, then one alone with all."""
    key = run.key
    threads = host.count_threads(most)
    together = timer.time_steps([StepBenchmark((run,), threads)] * most)
    # Counted before the others end: what they hold is part of what is counted as free.
    fitting = _count_fitting(find_peak_bytes(together), most, host) if together else most
    alone = timer.time_steps([StepBenchmark((run,), host.count_threads(1))])
    if not together or not alone:
        return Placement(1, host.count_threads(1), "the probe failed; one process with all threads")
    shared, single = average_seconds(together) / most, alone[0].seconds
    reason = f"probe: {most} workers {_format_ms(shared)} per step, one process {_format_ms(single)}"
    if fitting < most:
        reason = f"{reason}; memory fits {fitting} of {most} workers"
    elif shared < single:
        return Placement(most, threads, reason, 1, shared, tuple(together), key)
    return Placement(1, host.count_threads(1), reason, 1, single, tuple(alone), key)


def _choose_pack(
    placement: Placement, runs: Sequence[Run], most: int, timer: StepTimer, gpus: Sequence[Gpu], host: Host
) -> Placement:
    """Double the pack while a step of one run in it gets cheaper and memory holds it."""
    best, times = placement.seconds, placement.times
    if best is None:
        best, times = _time_packs(placement, runs[:1], timer, gpus, host)
    tried = [f"1 run {_format_ms(best)}"]
    size = 1
    while size < most:
        larger = min(2 * size, most)
        seconds, of_larger = _time_packs(placement, runs[:larger], timer, gpus, host)
        tried.append(f"{larger} together {_format_ms(seconds)}")
        if not seconds * _GAIN < best:
            break
        size, best, times = larger, seconds, of_larger
    reason = f"{placement.reason}; a step of a run: {', '.join(tried)}"
    return replace(placement, pack=size, reason=reason, times=times, timed=runs[0].key, timed_runs=size)


def _time_packs(
    placement: Placement, runs: Sequence[Run], timer: StepTimer, gpus: Sequence[Gpu], host: Host
) -> tuple[float, tuple[StepTimes, ...]]:
    """Seconds that a step of one run costs in packs of these in all workers, infinite if it cannot be; and
    what was timed."""
    times = timer.time_steps([StepBenchmark(tuple(runs), placement.threads)] * placement.workers)
    if not times:
        return float("inf"), ()
    if _count_fitting(find_peak_bytes(times), placement.workers, host) < placement.workers:
        return float("inf"), ()
    if not is_held_by_gpus(times, placement, gpus):
        return float("inf"), ()
    return average_seconds(times) / len(runs) / placement.workers, tuple(times)


def _count_fitting(bytes_each: int, started: int, host: Host) -> int:
    """How many workers memory holds: what those `started` for timing hold is theirs again."""
    free = host.measure_free_memory(started * bytes_each)
    return max(1, int(_MEMORY_SHARE * free // bytes_each))


def _format_ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms" if seconds < float("inf") else "out of memory"
