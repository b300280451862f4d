"""What a study takes on many machines, for a terminal: a table of numbers of machines, and what it means."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from headstart.planning.many_machines import ManyMachines, OnMachines
from headstart.report.cost import format_span
from headstart.report.tables import TerminalTable, make_table
from headstart.wording import format_count, join_ends, join_names

_DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def render_machines(many: ManyMachines) -> Iterator[RenderableType]:
    """A heading, the table, and lines below it."""
    yield Text()
    yield Text(_describe_asked(many), style="bold")
    if many.rows:
        yield _render_rows(many)
        yield Text()
    yield from map(Text, _describe(many))


def _describe_asked(many: ManyMachines) -> str:
    workers = format_count(many.workers, "worker process", "worker processes")
    return f"on {format_count(many.machines, 'machine')} with {workers} each ({_DEVICES[many.device]})"


def _render_rows(many: ManyMachines) -> TerminalTable:
    head = ["machines", "time", "machine-hours", "busy"]
    return make_table([head, *map(_format_row, many.rows)])


def _format_row(row: OnMachines) -> list[str]:
    hours = join_ends(*map(_format_hours, (row.machine_hours.low, row.machine_hours.high)))
    return [f"{row.machines:,}", format_span(row.seconds), hours, f"{row.busy:.0%}"]


def _format_hours(hours: float) -> str:
    return f"{hours:,.2g}" if hours < 10 else f"{hours:,.0f}"


def _describe(many: ManyMachines) -> Iterator[str]:
    if many.unknown:
        yield f"time: not estimated: {many.unknown}"
    if many.packs:
        yield _describe_packs(many)
    if not many.rows:
        return
    if many.bound and many.longest:
        longest = format_span(many.longest)
        yield f"no schedule is shorter than {format_span(many.bound)}; the longest pack: {longest}"
    yield from _describe_more(many)
    yield from _describe_before(many)
    if many.sources:
        sources = join_names(many.sources)
        yield f"seconds of packs: from {sources}; all machines are taken to be as fast"


def _describe_packs(many: ManyMachines) -> str:
    first, *then = many.packs
    packs = format_count(first, "pack")
    return (
        f"{packs} first, then {format_count(then[0], 'pack')} whose settings these choose" if then else packs
    )


def _describe_more(many: ManyMachines) -> Iterator[str]:
    """What another machine is worth, and from when on it is worth nothing."""
    if many.enough is not None and many.machines >= many.enough:
        machines = format_count(many.enough, "machine")
        yield f"one machine more saves nothing: {machines} {'is' if many.enough == 1 else 'are'} enough"
        return
    if many.saved is not None:
        yield f"one machine more saves {format_span(many.saved)}; from {many.enough:,} machines on, nothing"


def _describe_before(many: ManyMachines) -> Iterator[str]:
    if many.adapting:
        yield f"adapting checkpoints, before the first pack: {format_span(many.adapting)}, on one machine"
    if many.untimed:
        yield many.untimed
    if many.preparation:
        yield f"preparing data and checkpoints, on each machine: {format_span(many.preparation)}"
