"""The memory of a process that trains so many runs as one, from what each of them needs; warns of too much.

docs/plan.md says how the constants were measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import psutil

from headstart.config.runs import Run
from headstart.config.traits import get_method_traits
from headstart.planning.device_memory import count_sharing
from headstart.planning.memory import MemoryEstimate
from headstart.records import Gpu, Range, StudyWarning
from headstart.training.prepare import load_libraries
from headstart.wording import join_ends

#: Bytes that a process holds for each byte of a step in use, by whether products are in 16 bits: what
#: operators need inside, and what the allocator keeps between steps of other lengths.
STEP_OVERHEAD: Final = {True: 1.75, False: 1.35}
#: Bytes that libraries hold once they have computed: kernels for each length of a batch, and what the loading
#: of a model leaves; at most, and for small models so many for each byte in use.
LIBRARY_BYTES: Final = 390 << 20
_LIBRARY_SHARE: Final = 1.5
#: Whole models that are there at once when a run begins and ends.
_WHOLE_MODELS: Final = 2
#: How a process grows with the packs that it trains one after another, on average.
GROWTH: Final = 1.07
#: How far the truth lies from an estimate of memory, as a share.
MARGIN: Final = 0.15


def measure_process_bytes(runs: Sequence[Run]) -> int:
    """Resident memory of this process, which a worker's is like before it has a model.

    The libraries that these runs ask for are loaded first.
    """
    load_libraries(runs)
    return int(psutil.Process().memory_info().rss)


def estimate_process_memory(need: MemoryEstimate, process_bytes: int, runs: int) -> Range:
    """Bytes of a process that trains so many runs as one."""
    weights = need.shared + runs * need.member
    at_work = max(
        STEP_OVERHEAD[need.narrow] * max(runs * need.step, need.evaluation), _WHOLE_MODELS * need.whole_model
    )
    libraries = min(LIBRARY_BYTES, _LIBRARY_SHARE * (weights + runs * need.step))
    middle = GROWTH * (process_bytes + libraries + weights + at_work)
    return Range(low=middle * (1 - MARGIN), high=middle * (1 + MARGIN))


def warn_of_memory(
    runs: Sequence[Run],
    need: MemoryEstimate,
    memory: Range,
    free: int,
    pack: int,
    processes: int,
    gpus: Sequence[Gpu] = (),
) -> Iterator[StudyWarning]:
    """Says where memory cannot hold what is asked for: a pack, or so many processes at once.

    Args:
        runs: of a group, each of which needs `need`.
        memory: of a process that trains `pack` of them as one.
        free: on this machine, or on each of the `gpus`, which processes take in turn.
    """
    if memory.low * count_sharing(processes, gpus) <= free:
        return
    arms = ", ".join(dict.fromkeys(run.arm for run in runs))
    ends = join_ends(f"{memory.low / 2**30:.1f}", f"{memory.high / 2**30:.1f}")
    size = f"{ends} GiB{' of GPU memory' if gpus else ''}"
    what = f"{pack} runs of {arms} together need" if pack > 1 else f"a run of {arms} needs"
    where = f" on {gpus[0].name}" if gpus else ""
    at_once = f"; {processes} processes at a time are requested" if processes > 1 else ""
    fewer = _suggest_less_at_once(memory.low, free, pack, processes, max(1, len(gpus)))
    remedy = fewer or _suggest_smaller_runs(runs[0], need)
    text = f"{what} {size}, and {free / 2**30:.1f} GiB is free{where}{at_once}: {remedy}"
    yield StudyWarning(kind="memory", message=text)


def warn_of_unknown_memory(runs: Sequence[Run]) -> Iterator[StudyWarning]:
    """Says of which arms' runs, that make steps, no need is known."""
    arms = dict.fromkeys(run.arm for run in runs if get_method_traits(run.method).has_steps)
    if arms:
        what = f"the memory that runs of {', '.join(arms)} need is not known before they train"
        why = "their model's code depends on values that a plan does not compute"
        yield StudyWarning(kind="memory", message=f"{what}: {why}; --probe measures it")


def _suggest_less_at_once(
    bytes_each: float, free: int, pack: int, processes: int, devices: int
) -> str | None:
    """The setting to lower, where fewer runs at once would do."""
    if processes > devices and bytes_each <= free:
        return f"lower workers to {devices * int(free // bytes_each)}"
    return "lower pack" if pack > 1 else None


def _suggest_smaller_runs(run: Run, need: MemoryEstimate) -> str:
    """The settings that would make a run alone need less."""
    if need.step > need.member + need.shared and run.training.batch_size > 1:
        ways = ["lower training.batch_size (and raise training.accumulation)", "lower training.max_length"]
        if not run.training.gradient_checkpointing:
            ways.append("set training.gradient_checkpointing: true")
        return ", or ".join(ways)
    cheaper = get_method_traits(run.method).cheaper
    return f"choose a smaller model, or method: {cheaper}" if cheaper else "choose a smaller model"
