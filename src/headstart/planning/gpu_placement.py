"""Places packs on GPUs: processes in turn, and packs as large as memory surely holds; times nothing.

A small model leaves a GPU idle most of the time, and runs as one fill it: where timing would cost more than
it can save, a large pack is the better guess, for one that is too large goes on in halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

from headstart.planning.cost import CONTEXT_BYTES
from headstart.planning.device_memory import count_sharing, find_least_free
from headstart.planning.host import HERE, Host
from headstart.planning.placement import Placement
from headstart.planning.step_benchmark import StepTimes, find_device_peak_bytes
from headstart.records import Gpu, Range
from headstart.training.grouping import Group

#: Of the memory that is free on a GPU, the share that processes may fill by the upper end of an estimate, and
#: by a peak in timed steps: copies of best epochs, a quarter of weights, gradients and moments, come on top.
_MEMORY_SHARE: Final = 0.9
_TIMED_SHARE: Final = 0.75
#: The most runs as one where nothing is timed.
_MOST_AS_ONE: Final = 32

#: The bytes that torch is expected to reserve on a GPU for so many runs of a group as one, where it is known.
EstimateDeviceMemory = Callable[[Group, int], Range | None]


def spread_over_gpus(
    groups: Sequence[Group],
    gpus: Sequence[Gpu],
    workers: int | Literal["auto"],
    pack: int,
    host: Host = HERE,
) -> Placement:
    """The processes for groups of runs: one a GPU, or as many as are asked for, but none without a pack.

    Args:
        pack: the most runs as one.
        host: that has the GPUs.
    """
    packs = host.share(sum(-(-len(group.runs) // min(pack, group.most)) for group in groups))
    if workers != "auto":
        count = max(1, min(workers, packs))
        return Placement(count, host.count_threads(count), "asked for")
    count = max(1, min(len(gpus), packs))
    if count == 1:
        return Placement(1, 0, f"one process on {gpus[0].name}")
    return Placement(count, host.count_threads(count), f"{count} processes, one per GPU")


def fill_gpus(
    placement: Placement,
    groups: Sequence[Group],
    gpus: Sequence[Gpu],
    estimate: EstimateDeviceMemory,
    host: Host = HERE,
) -> Placement:
    """The placement with packs as large as memory surely holds, none so large that a process has no runs."""
    together = [group for group in groups if group.most > 1]
    most = min(_MOST_AS_ONE, max((share_runs(group, placement, host) for group in together), default=1))
    room = _MEMORY_SHARE * _measure_room(placement, gpus) - CONTEXT_BYTES
    for size in range(most, 1, -1):
        if all(_is_surely_held(estimate(group, min(size, group.most)), room) for group in together):
            reason = f"{placement.reason}; {size} runs together, by expected memory"
            return replace(placement, pack=size, reason=reason)
    return placement


def share_runs(group: Group, placement: Placement, host: Host = HERE) -> int:
    """The most runs of a group in a pack, where each process gets its share of them."""
    return host.share(-(-group.most // max(1, placement.workers)))


def is_held_by_gpus(times: Sequence[StepTimes], placement: Placement, gpus: Sequence[Gpu]) -> bool:
    """Whether memory holds what was timed in all of the placement's processes, and what training adds."""
    peak = find_device_peak_bytes(times)
    if peak is None or not gpus:
        return True
    return peak + CONTEXT_BYTES <= _TIMED_SHARE * _measure_room(placement, gpus)


def _measure_room(placement: Placement, gpus: Sequence[Gpu]) -> float:
    """Free bytes for each process."""
    return find_least_free(gpus) / count_sharing(placement.workers, gpus)


def _is_surely_held(memory: Range | None, room: float) -> bool:
    return memory is not None and memory.high <= room
