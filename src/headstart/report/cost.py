"""What a study costs, for a terminal: parameters and memory by arm, time and disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from headstart.config.study import Study
from headstart.records import duration
from headstart.report.units import format_bytes


def cost_table(study: Study, facts: Mapping[str, Any]) -> Table:
    """Parameters of each arm, and the memory of a process that trains one of its runs."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("arm")
    for name in ("parameters", "trainable", "memory, expected", "measured"):
        table.add_column(name, justify="right")
    for arm in study.arms:
        own = facts["parameters"].get(arm)
        group = _group_of(arm, facts["groups"])
        counted = (f"{own['total']:,}", f"{own['trainable']:,}") if own else ("-", "-")
        table.add_row(escape(arm), *counted, _span(group), _measured(group))
    return table


def _group_of(arm: str, groups: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first group that has runs of the arm; an empty one where all are done."""
    own = (group for group in groups if any(key.startswith(f"{arm}/") for key in group["runs"]))
    return next(own, {})


def _span(group: Mapping[str, Any]) -> str:
    """What a process is expected to hold, that trains one run or several as one."""
    span = group.get("memory_bytes")
    runs = f", {group['pack']} as one" if group.get("pack", 1) > 1 else ""
    return f"{span['low'] / 2**30:.1f} to {span['high'] / 2**30:.1f} GiB{runs}" if span else "-"


def _measured(group: Mapping[str, Any]) -> str:
    """What real steps held, of one run or of several as one."""
    found = group.get("measured")
    if not found:
        return "-"
    runs = f", {found['runs']} as one" if found["runs"] > 1 else ""
    return f"{found['memory_bytes'] / 2**30:.1f} GiB{runs}"


def cost_lines(cost: Mapping[str, Any]) -> Iterator[str]:
    yield f"memory: {cost['memory']['free_bytes'] / 2**30:.1f} GiB free"
    disk = cost["disk"]
    yield f"disk: {format_bytes(disk['bytes'])} in the end; {format_bytes(disk['free_bytes'])} free"
    if disk["state_bytes"]:
        yield f"  and up to {format_bytes(disk['state_bytes'])} for each run while it is unfinished"
    crew, seconds = cost["crew"], cost["seconds"]
    if crew is None:
        yield "time: not known; --probe makes a few steps of each kind of run to tell"
        return
    if seconds is not None:
        yield f"time: {duration(seconds['low'])} to {duration(seconds['high'])}"
    packs = f", at most {crew['pack']} runs as one" if crew["pack"] > 1 else ""
    yield f"  {max(1, crew['workers'])} at a time{packs} ({crew['reason']})"
