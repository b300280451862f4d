"""Where the seconds of packs come from: runs that the folder has on record, or else steps that were timed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headstart.config.runs import Cell, Pack, Run
from headstart.config.traits import get_method_traits
from headstart.planning.time_model import DRIFT
from headstart.records import Range, RunRecord

#: What sources are called where they are shown.
RECORDS: Final = "earlier runs in this folder"
STEPS: Final = "timed steps"


@dataclass(frozen=True)
class PackSeconds:
    """The seconds of each pack, None where they are not known, and from what; in the packs' order."""

    spans: tuple[Range | None, ...]
    sources: tuple[str, ...]

    @property
    def known(self) -> tuple[Range, ...]:
        """Those that are known."""
        return tuple(span for span in self.spans if span)


def find_pack_seconds(
    packs: Sequence[Pack], records: Iterable[RunRecord], *, on_gpu: bool, are_timed: bool
) -> PackSeconds:
    """What each pack takes on a CPU or a GPU.

    By the seconds that runs of its arm and size took there, which are measured whole; else by timed steps,
    if these were made there (`are_timed`). A pack whose runs make no steps counts as none where nothing is on
    record: it takes seconds.
    """
    measured = _measure_cells(records)
    found = [_find_seconds(pack, measured, on_gpu=on_gpu, are_timed=are_timed) for pack in packs]
    names = dict.fromkeys(source for _, source in found if source)
    return PackSeconds(tuple(span for span, _ in found), tuple(names))


def widen(low: float, high: float) -> Range:
    """Measured seconds, as far as a machine's speed drifts."""
    return Range(low=low * (1 - DRIFT), high=high * (1 + DRIFT))


#: The least and the most that a run took, by arm and size, whether it was for tuning, and whether on a GPU.
_Measured = Mapping[tuple[Cell, bool, bool], Range]


def _find_seconds(
    pack: Pack, measured: _Measured, *, on_gpu: bool, are_timed: bool
) -> tuple[Range | None, str]:
    known = [span for run in pack.runs if (span := _find_like(run, measured, on_gpu=on_gpu))]
    if len(known) == len(pack.runs):
        return Range(low=sum(span.low for span in known), high=sum(span.high for span in known)), RECORDS
    if not get_method_traits(pack.runs[0].method).has_steps:
        return Range(low=0.0, high=0.0), ""
    if are_timed and pack.estimate and pack.estimate.seconds:
        return pack.estimate.seconds, STEPS
    return None, ""


def _find_like(run: Run, measured: _Measured, *, on_gpu: bool) -> Range | None:
    """What runs of the same arm and size took: of the same purpose, or of the other, which only differ by the
    test. What makes no steps is fitted on processors, on whatever device others train."""
    kinds = (on_gpu,) if get_method_traits(run.method).has_steps else (on_gpu, not on_gpu)
    keys = (
        ((run.arm, run.size), purpose, kind)
        for kind in kinds
        for purpose in (run.for_tuning, not run.for_tuning)
    )
    return next((measured[key] for key in keys if key in measured), None)


def _measure_cells(records: Iterable[RunRecord]) -> _Measured:
    seconds: dict[tuple[Cell, bool, bool], list[float]] = defaultdict(list)
    for record in records:
        if record.status == "done":
            on_gpu = record.execution is not None and record.execution.device.startswith("cuda")
            seconds[(record.arm, record.size), record.for_tuning, on_gpu].append(record.own_seconds)
    return {key: widen(min(spans), max(spans)) for key, spans in seconds.items()}
