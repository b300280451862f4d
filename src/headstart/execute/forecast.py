"""What a study will cost: what its packs need and take, what disk it fills, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from headstart.config.expand import Pack, Run
from headstart.config.traits import method_traits
from headstart.execute.cost import total_seconds
from headstart.execute.crew import Crew
from headstart.execute.disk import disk_bytes, free_bytes, state_bytes
from headstart.execute.expect import Outlook, expected_packs, outlooks, too_large
from headstart.execute.group import groups
from headstart.execute.needs import parameters_of
from headstart.execute.prepare import Prepared
from headstart.records import Parameters, Range, StudyWarning, duration

#: Probes that train as one where the study leaves it open: a step costs what calling its operators costs.
_PROBES = 32


@dataclass(frozen=True)
class Forecast:
    """What the runs that are `left` will cost.

    `sizes` are the parameters by arm, None for a bag of words. `disk` is what the folder takes in the end,
    `state` what an unfinished run keeps there. `crew` is known once steps were timed.
    """

    left: tuple[Run, ...]
    prepared: Prepared
    found: tuple[Outlook, ...]
    sizes: dict[str, Parameters | None]
    disk: int
    state: int
    free_disk: int
    free_memory: int
    crew: Crew | None = None

    def packs(self, crew: Crew) -> list[Pack]:
        """The packs that the crew trains, each with what is expected of it."""
        probes = _PROBES if self.prepared.study.pack == "auto" else 1
        return expected_packs(self.found, crew, probes, self.prepared)

    @property
    def notices(self) -> tuple[StudyWarning, ...]:
        """What does not fit, with the setting to change."""
        study = self.prepared.study
        processes = study.workers if isinstance(study.workers, int) else 1
        return (*too_large(self.found, self.free_memory, self.pack, processes), *self._full_disk())

    @property
    def pack(self) -> int:
        """How many runs train as one, as far as it is known: asked for, or chosen by a probe."""
        asked = self.prepared.study.pack
        if asked != "auto":
            return asked
        return self.crew.pack if self.crew else 1

    def _full_disk(self) -> tuple[StudyWarning, ...]:
        if self.disk <= self.free_disk:
            return ()
        sizes = f"{self.disk / 2**30:.1f} GiB are written, and {self.free_disk / 2**30:.1f} GiB are free"
        return (
            StudyWarning(
                kind="disk", message=f"{sizes} in {self.prepared.study.out}: set out to another disk"
            ),
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by arm, as plain values."""
        return {arm: own.model_dump() if own else None for arm, own in self.sizes.items()}

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The runs that can train as one, or why each is alone, and what a pack needs, as plain values."""
        return [_group_facts(one, min(self.pack, one.group.most)) for one in self.found]

    @property
    def cost(self) -> dict[str, Any]:
        """Memory, time and disk as plain values; time and packs where steps were timed."""
        facts: dict[str, Any] = {
            "memory": {"free_bytes": self.free_memory},
            "disk": {"bytes": self.disk, "state_bytes": self.state, "free_bytes": self.free_disk},
        }
        if self.crew is None:
            return facts | {"seconds": None, "crew": None, "packs": None}
        packs = self.packs(self.crew)
        return facts | {
            "seconds": _dumped(expected_seconds(packs, self.crew)),
            "crew": {"workers": self.crew.workers, "threads": self.crew.threads}
            | {"pack": self.crew.pack, "reason": self.crew.reason},
            "packs": [_pack_facts(pack) for pack in packs],
        }


def _dumped(span: Range | None) -> dict[str, float] | None:
    return span.model_dump() if span else None


def _group_facts(one: Outlook, pack: int) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "runs": [run.key for run in one.group.runs],
        "alone": one.group.reason,
        "pack": pack,
        "memory_bytes": _dumped(one.memory(pack)),
    }
    if not one.timings:
        return facts
    step = sum(timing.seconds for timing in one.timings) / len(one.timings)
    return facts | {"measured": {"memory_bytes": one.measured, "seconds_a_step": step, "runs": one.pack}}


def _pack_facts(pack: Pack) -> dict[str, Any]:
    assert pack.estimate is not None
    return {"runs": [run.key for run in pack.runs], **pack.estimate.model_dump()}


def forecast(
    runs: Sequence[Run], left: tuple[Run, ...], prepared: Prepared, process: int, out: Path
) -> Forecast:
    """What is known before a step is made.

    Args:
        runs: all of the study's, of which some are `left`.
        process: bytes of a process before it has a model.
        out: the study's folder.
    """
    sizes = {arm: parameters_of(run, prepared) for arm, run in {run.arm: run for run in runs}.items()}
    return Forecast(
        left=left,
        prepared=prepared,
        found=tuple(outlooks(groups(left, prepared), prepared, process)),
        sizes=sizes,
        disk=disk_bytes(left, prepared, sizes),
        state=state_bytes(left, sizes),
        free_disk=free_bytes(out),
        free_memory=int(psutil.virtual_memory().available),
    )


def expected_seconds(packs: Sequence[Pack], crew: Crew) -> Range | None:
    """What the packs take in all; None where steps of some that make steps were not timed."""
    steps = [pack for pack in packs if method_traits(pack.runs[0].method).has_steps]
    spans = [pack.estimate.seconds for pack in steps if pack.estimate and pack.estimate.seconds]
    if not spans or len(spans) < len(steps):
        return None
    return total_seconds(spans, crew.workers)


def in_words(packs: Sequence[Pack], crew: Crew) -> str:
    """What is expected of packs that are about to train, in a sentence; empty where nothing is known."""
    seconds = expected_seconds(packs, crew)
    sizes = [pack.estimate.memory_bytes for pack in packs if pack.estimate and pack.estimate.memory_bytes]
    said = [f"{duration(seconds.low)} to {duration(seconds.high)}"] if seconds else []
    if sizes:
        low, high = (max(getattr(one, end) for one in sizes) / 2**30 for end in ("low", "high"))
        said.append(f"{low:.1f} to {high:.1f} GiB of memory a process")
    return f"expected: {', '.join(said)}" if said else ""
