"""What is expected of a study before it trains: each pack's memory and seconds, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from headstart.config.expand import Pack, Run
from headstart.execute.cost import pack_seconds, rates_of
from headstart.execute.crew import Crew
from headstart.execute.group import Group, packs
from headstart.execute.needs import Need, need_of
from headstart.execute.prepare import Prepared
from headstart.execute.probe import Timing
from headstart.records import Estimate, Range, StudyWarning

#: Bytes that a process holds for each byte of a step in use, by whether products are in 16 bits: what
#: operators need inside, and what the allocator keeps between steps of other lengths. See docs/plan.md, where
#: these, `LIBRARIES` and `AGAIN` were measured.
HELD: Final = {True: 1.75, False: 1.35}
#: Bytes that libraries hold once they have computed: kernels for each length of a batch, and what the loading
#: of a model leaves; at most, and for small models so many for each byte in use.
LIBRARIES: Final = 390 << 20
_SMALL: Final = 1.5
#: Whole models that are there at once when a run begins and ends.
_WHOLE: Final = 2
#: How a process grows with the packs that it trains one after another, on average.
AGAIN: Final = 1.07
#: How far the truth lies from an estimate of memory, as a share.
MARGIN: Final = 0.15


@dataclass(frozen=True)
class Outlook:
    """What is known of a group before it trains: what it needs, and real steps in packs of `pack` runs."""

    group: Group
    need: Need | None
    process: int
    timings: tuple[Timing, ...] = ()
    pack: int = 1

    def memory(self, runs: int) -> Range | None:
        """Bytes of a process that trains so many of its runs as one."""
        own = self.need
        if own is None:
            return None
        weights = own.shared + runs * own.member
        at_work = max(HELD[own.narrow] * max(runs * own.step, own.evaluation), _WHOLE * own.whole)
        libraries = min(LIBRARIES, _SMALL * (weights + runs * own.step))
        return around(AGAIN * (self.process + libraries + weights + at_work))

    @property
    def measured(self) -> int | None:
        """The most bytes that a process held in real steps, the longest among them."""
        return max((timing.peak_memory_bytes for timing in self.timings), default=None)

    def seconds(self, runs: Sequence[Run], prepared: Prepared) -> Range | None:
        """What these of its runs take as one pack; None where no steps were timed."""
        return pack_seconds(runs, rates_of(self.timings, self.pack), prepared)


def around(middle: float) -> Range:
    """From a share below to a share above."""
    return Range(low=middle * (1 - MARGIN), high=middle * (1 + MARGIN))


def outlooks(groups: Sequence[Group], prepared: Prepared, process: int) -> list[Outlook]:
    """What is known of the groups without a step: groups of one shape are looked at once.

    Args:
        process: bytes of a process before it has a model.
    """
    known: dict[str, Need | None] = {}
    found = []
    for group in groups:
        key = group.shape
        if key not in known:
            known[key] = need_of(group.runs, prepared)
        found.append(Outlook(group, known[key], process))
    return found


def expected_packs(found: Sequence[Outlook], crew: Crew, probes: int, prepared: Prepared) -> list[Pack]:
    """The packs that the crew trains, each with what is expected of it."""
    of_run = {run.key: outlook for outlook in found for run in outlook.group.runs}
    made = packs([outlook.group for outlook in found], crew.pack, probes)
    return [_expected(pack, of_run[pack.runs[0].key], prepared) for pack in made]


def _expected(pack: Pack, outlook: Outlook, prepared: Prepared) -> Pack:
    memory, seconds = outlook.memory(len(pack.runs)), outlook.seconds(pack.runs, prepared)
    return replace(pack, estimate=Estimate(memory_bytes=memory, seconds=seconds))


def timed(found: Sequence[Outlook], crew: Crew) -> list[Outlook]:
    """The same with the steps that the crew was chosen by, where they are of one of the groups."""
    how: dict[str, Any] = {"timings": crew.timings, "pack": crew.timed_runs}
    return [replace(one, **how) if one.group.runs[0].key == crew.timed else one for one in found]


def too_large(
    found: Sequence[Outlook], free: int, pack: int = 1, processes: int = 1
) -> Iterator[StudyWarning]:
    """What memory cannot hold, with the setting to change: a pack, or as many processes as are asked for."""
    for one in found:
        memory = one.memory(min(pack, one.group.most))
        if memory is None or memory.low * max(1, processes) <= free:
            continue
        arms = ", ".join(dict.fromkeys(run.arm for run in one.group.runs))
        size = f"{memory.low / 2**30:.1f} to {memory.high / 2**30:.1f} GiB"
        what = f"{pack} runs of {arms} as one need" if pack > 1 else f"a run of {arms} needs"
        many = f"; {processes} processes at once are asked for" if processes > 1 else ""
        remedy = _fewer(memory.low, free, pack, processes) or _remedy(one)
        text = f"{what} {size}, and {free / 2**30:.1f} GiB are free{many}: {remedy}"
        yield StudyWarning(kind="memory", message=text)


def _fewer(each: float, free: int, pack: int, processes: int) -> str | None:
    """Where less at once would do."""
    if processes > 1 and each <= free:
        return f"lower workers to {int(free // each)}"
    return "lower pack" if pack > 1 else None


def _remedy(one: Outlook) -> str:
    assert one.need is not None
    first = one.group.runs[0]
    if one.need.step > one.need.member + one.need.shared and first.training.batch_size > 1:
        ways = ["lower training.batch_size (and raise training.accumulation)", "lower training.max_length"]
        more = [] if first.training.gradient_checkpointing else ["set training.gradient_checkpointing: true"]
        return ", or ".join([*ways, *more])
    cheaper = {"full": "lora", "lora": "qlora", "peft": "qlora"}.get(first.method)
    return f"choose a smaller model, or method: {cheaper}" if cheaper else "choose a smaller model"
