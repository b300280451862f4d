"""What a study costs, for a terminal: parameters and memory by arm, time and disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.planning.cost import CONTEXT_BYTES, AdaptingCost, GroupCost, MeasuredSteps, StudyCost
from headstart.records import Parameters, Range, format_duration
from headstart.report.tables import TerminalTable, make_table
from headstart.report.units import format_bytes
from headstart.wording import format_count, join_ends


def render_cost_table(arms: Sequence[str], cost: StudyCost) -> TerminalTable:
    """Parameters of each arm, and the memory of a process that trains one of its runs, on a GPU there."""
    memory = "GPU memory, expected" if cost.gpus else "memory, expected"
    groups = _find_groups(cost.groups)
    rows = [["arm", "parameters", "trainable", memory, "measured"]]
    rows += [_format_cost(arm, cost.parameters.get(arm), groups.get(arm)) for arm in arms]
    return make_table(rows)


def _format_cost(arm: str, parameters: Parameters | None, group: GroupCost | None) -> list[str]:
    counts = (f"{parameters.total:,}", f"{parameters.trainable:,}") if parameters else ("-", "-")
    shown = (_describe_memory(group), _describe_measured(group.measured)) if group else ("-", "-")
    return [arm, *counts, *shown]


def _find_groups(groups: Sequence[GroupCost]) -> dict[str, GroupCost]:
    """The first group that has runs of an arm, by arm; of arms whose runs are all done there is none."""
    return {key.partition("/")[0]: group for group in reversed(groups) for key in group.runs}


def _describe_memory(group: GroupCost) -> str:
    """What a process is expected to hold, that trains one run or several as one."""
    span = group.device_memory_bytes or group.memory_bytes
    if span is None:
        return "-"
    return f"{_describe_range(span)}{_describe_pack(group.pack)}"


def _describe_range(span: Range) -> str:
    return f"{join_ends(f'{span.low / 2**30:.1f}', f'{span.high / 2**30:.1f}')} GiB"


def _describe_measured(measured: MeasuredSteps | None) -> str:
    """What real steps held, of one run or of several as one."""
    if measured is None:
        return "-"
    held = measured.device_memory_bytes or measured.memory_bytes
    return f"{held / 2**30:.1f} GiB{_describe_pack(measured.runs)}"


def _describe_gpus(cost: StudyCost) -> str:
    """What is free on each GPU, and what the largest pack needs of it, CUDA's own memory included."""
    free = min(gpu.free_bytes for gpu in cost.gpus) / 2**30
    names = " and ".join(dict.fromkeys(gpu.name for gpu in cost.gpus))
    where = f"{len(cost.gpus)} x {names}" if len(cost.gpus) > 1 else names
    spans = [span for group in cost.groups if (span := group.device_memory_bytes)]
    if not spans:
        return f"GPU memory: {free:.1f} GiB free on {where}"
    low, high = (max(ends) + CONTEXT_BYTES for ends in zip(*((s.low, s.high) for s in spans), strict=True))
    return f"GPU memory: needs {_describe_range(Range(low=low, high=high))} of {free:.1f} free on {where}"


def _describe_pack(runs: int) -> str:
    return f", {runs} together" if runs > 1 else ""


def describe_cost(cost: StudyCost) -> Iterator[str]:
    """Memory, disk and time in lines."""
    yield f"memory: {cost.free_memory / 2**30:.1f} GiB free"
    if cost.gpus:
        yield _describe_gpus(cost)
    disk = cost.disk
    needed = f"{format_bytes(disk.output_bytes)} for the results" if disk.output_bytes else "nothing to write"
    yield f"disk: {needed}; {format_bytes(disk.free_bytes)} free"
    if disk.state_bytes:
        yield f"  plus up to {format_bytes(disk.state_bytes)} per unfinished run"
    if cost.adapting:
        yield from _describe_adapting(cost.adapting)
    placement, seconds = cost.placement, cost.seconds
    if not cost.groups:
        return  # nothing is left to train
    if placement is None:
        yield "time: not estimated; add --probe"
        return
    if seconds is not None:
        yield _describe_time(seconds, cost.adapting)
    packs = f", at most {placement.pack} runs together" if placement.pack > 1 else ""
    together = f", by {placement.ranks} processes together" if placement.ranks > 1 else ""
    yield f"  {max(1, placement.workers)} at a time{packs}{together} ({placement.reason})"


def _describe_time(seconds: Range, adapting: AdaptingCost | None) -> str:
    """Of all that is left: runs, and what is adapted before them as far as that is known."""
    more = adapting.seconds if adapting else None
    if adapting is None:
        return f"time: {format_span(seconds)}"
    if more is None:
        return f"time: {format_span(seconds)}, without adapting"
    total = Range(low=seconds.low + more.low, high=seconds.high + more.high)
    return f"time: {format_span(total)}, adapting included"


def format_span(seconds: Range) -> str:
    """From its lower end to its upper one."""
    return join_ends(format_duration(seconds.low), format_duration(seconds.high))


def _describe_adapting(adapting: AdaptingCost) -> Iterator[str]:
    """What is pretrained before the runs, and how long that is expected to take."""
    times = "once" if adapting.count == 1 else f"{adapting.count} times"
    yield (
        f"adapting: {times}, each {format_count(adapting.steps, 'step')}, {adapting.tokens:,} tokens; "
        f"{format_bytes(adapting.memory_bytes)} for weights, gradients and optimiser, plus activations"
    )
    seconds = adapting.seconds
    if seconds is not None:
        yield f"  {format_span(seconds)}, before the runs"
    else:
        yield f"  time not estimated{'; add --probe' if adapting.can_time else ''}"
