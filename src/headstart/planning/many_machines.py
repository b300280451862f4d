"""What packs take on many machines: each worker takes the longest that is left, one phase after another.

Pure sums over the packs' seconds; where these come from is `planning.pack_seconds`' affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from headstart.planning.time_left import find_makespan
from headstart.records import Range


@dataclass(frozen=True)
class Work:
    """What is to be shared out: the seconds of the packs of each phase, which begins when the one before it
    has ended, and `serial` ones before the first, whatever the number of machines."""

    phases: tuple[tuple[Range, ...], ...]
    serial: Range


@dataclass(frozen=True)
class OnMachines:
    """So many machines: seconds until the last is done, the hours of all of them, and the share of their
    workers' time in which packs are trained."""

    machines: int
    seconds: Range
    machine_hours: Range
    busy: float


@dataclass(frozen=True)
class ManyMachines:
    """What a study takes on machines with so many `workers` each, on the `device` (cpu, cuda).

    `packs` are by phase. `seconds` of packs come from `sources`. Where they are not known `unknown` says why,
    and what would tell them; all that follows is None or empty then. `preparation` are the seconds that each
    machine takes before its first pack, `adapting` those of pretraining further before that; it is `untimed`
    where that comes on top and was not timed. No schedule is shorter than `bound`. One machine more would
    save `saved` seconds; from `enough` machines on it saves nothing.
    """

    machines: int
    workers: int
    device: str
    packs: tuple[int, ...]
    sources: tuple[str, ...] = ()
    unknown: str = ""
    untimed: str = ""
    preparation: Range | None = None
    adapting: Range | None = None
    bound: Range | None = None
    longest: Range | None = None
    saved: Range | None = None
    enough: int | None = None
    rows: tuple[OnMachines, ...] = ()

    @property
    def asked(self) -> OnMachines | None:
        """The row of as many machines as were asked for."""
        return next((row for row in self.rows if row.machines == self.machines), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        spans = ("preparation", "adapting", "bound", "longest", "saved")
        plain = ("machines", "workers", "device", "packs", "sources", "unknown", "untimed", "enough")
        return (
            {name: getattr(self, name) for name in plain}
            | {name: span.model_dump() if (span := getattr(self, name)) else None for name in spans}
            | {"rows": [_dump_row(row) for row in self.rows]}
        )


def _dump_row(row: OnMachines) -> dict[str, Any]:
    spans = {"seconds": row.seconds.model_dump(), "machine_hours": row.machine_hours.model_dump()}
    return asdict(row) | spans


def schedule(work: Work, workers: int) -> Range:
    """Seconds until the last of so many workers is done, who each take the longest pack that is left."""
    return _add_up(work, partial(_share_out, workers=workers))


def _share_out(spans: Sequence[float], workers: int) -> float:
    return find_makespan([], sorted(spans, reverse=True), workers)


def find_bound(work: Work, workers: int) -> Range:
    """What no schedule on so many workers beats: in each phase its work shared out evenly, or its longest
    pack."""
    return _add_up(work, partial(_bound, workers=workers))


def _bound(spans: Sequence[float], workers: int) -> float:
    return max(sum(spans) / workers, max(spans, default=0.0))


def _add_up(work: Work, measure: Callable[[Sequence[float]], float]) -> Range:
    """What comes before the first phase, and what `measure` makes of the seconds of each."""
    lows = (measure([span.low for span in phase]) for phase in work.phases)
    highs = (measure([span.high for span in phase]) for phase in work.phases)
    return Range(low=work.serial.low + sum(lows), high=work.serial.high + sum(highs))


def find_enough(work: Work, workers: int) -> int:
    """The fewest machines of so many workers from which on one more saves nothing, by the upper ends.

    With more machines no schedule gets longer: so halving finds it.
    """
    most = -(-max((len(phase) for phase in work.phases), default=0) // workers)
    low, high = 1, max(1, most)
    least = schedule(work, workers * high).high
    while low < high:
        middle = (low + high) // 2
        if schedule(work, workers * middle).high > least:
            low = middle + 1
        else:
            high = middle
    return low


def measure_row(work: Work, machines: int, workers: int) -> OnMachines:
    """What so many machines take."""
    seconds = schedule(work, machines * workers)
    hours = Range(low=machines * seconds.low / 3600, high=machines * seconds.high / 3600)
    trained = sum(span.low + span.high for phase in work.phases for span in phase)
    there = machines * workers * (seconds.low + seconds.high)
    return OnMachines(machines, seconds, hours, trained / there if there else 0.0)


def list_rows(work: Work, machines: int, workers: int) -> Iterator[OnMachines]:
    """Of 1, 2, 4 and so on up to as many machines as are asked for."""
    count = 1
    while count < machines:
        yield measure_row(work, count, workers)
        count *= 2
    yield measure_row(work, machines, workers)


def measure_saving(work: Work, machines: int, workers: int) -> Range:
    """Seconds that one machine more would save."""
    now, then = (schedule(work, count * workers) for count in (machines, machines + 1))
    low, high = sorted((now.low - then.low, now.high - then.high))
    return Range(low=max(0.0, low), high=max(0.0, high))
