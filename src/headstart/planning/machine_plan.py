"""Plans a study on many machines: its packs as they are cut here, their seconds, and the schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from headstart.planning.many_machines import (
    ManyMachines,
    Work,
    find_bound,
    find_enough,
    list_rows,
    measure_saving,
)
from headstart.planning.pack_seconds import find_pack_seconds, widen
from headstart.planning.placement import Placement
from headstart.planning.study_estimate import StudyEstimate
from headstart.records import Range, RunRecord

_NO_STEPS = "no step was timed: add --probe"
_NO_GPU = (
    "this machine has no GPU, and the folder no run that was made on one: plan with --probe on one that has"
)
_NO_CPU = (
    "no run of this study was made on a CPU, and this machine trains on a GPU: set device=cpu to plan that"
)
_NO_ADAPTING = "the pretraining of adapted arms was not timed, and comes on top"


@dataclass(frozen=True)
class Machines:
    """What is asked for: so many machines like this one, or each with so many GPUs (0: on its CPU; None: as
    here), and so many workers each (None: one a GPU, or as many as here)."""

    count: int
    gpus: int | None = None
    workers: int | None = None


def plan_machines(
    asked: Machines,
    estimate: StudyEstimate,
    records: Iterable[RunRecord],
    placement: Placement | None,
    preparation: float,
) -> ManyMachines:
    """What the runs that are left take there.

    Args:
        records: of runs that are done.
        placement: how packs are cut, and how many workers a machine has; None where it is not known.
        preparation: seconds that opening the study took here.
    """
    on_gpu = bool(estimate.gpus) if asked.gpus is None else asked.gpus > 0
    is_here = on_gpu == bool(estimate.gpus)
    workers = _count_workers(asked, placement)
    planned = ManyMachines(asked.count, workers, "cuda" if on_gpu else "cpu", ())
    unknown = _explain(is_here=is_here, on_gpu=on_gpu)
    if placement is None:
        return replace(planned, unknown=unknown)
    packs, to_come = estimate.plan_packs(placement), estimate.plan_packs_to_come(placement)
    planned = replace(planned, packs=tuple(len(phase) for phase in (packs, to_come) if phase))
    found = find_pack_seconds([*packs, *to_come], records, on_gpu=on_gpu, are_timed=is_here)
    if None in found.spans:
        return replace(planned, unknown=unknown)
    first, second = found.known[: len(packs)], found.known[len(packs) :]
    phases = tuple(phase for phase in (first, second) if phase)
    planned = replace(planned, sources=found.sources)
    return _schedule(planned, phases, estimate, widen(preparation, preparation))


def _count_workers(asked: Machines, placement: Placement | None) -> int:
    if asked.workers is not None:
        return asked.workers
    return asked.gpus or max(1, placement.workers if placement else 1)


def _explain(*, is_here: bool, on_gpu: bool) -> str:
    """What would tell the seconds of packs, where they are not known."""
    if is_here:
        return _NO_STEPS
    return _NO_GPU if on_gpu else _NO_CPU


def _schedule(
    planned: ManyMachines, phases: tuple[tuple[Range, ...], ...], estimate: StudyEstimate, preparation: Range
) -> ManyMachines:
    adapting = estimate.adapting.seconds if estimate.adapting else None
    before = adapting or Range(low=0.0, high=0.0)
    serial = Range(low=preparation.low + before.low, high=preparation.high + before.high)
    work, workers = Work(phases, serial), planned.workers
    spans = [span for phase in phases for span in phase]
    return replace(
        planned,
        untimed=_NO_ADAPTING if estimate.adapting and adapting is None else "",
        preparation=preparation,
        adapting=adapting,
        bound=find_bound(work, planned.machines * workers),
        longest=max(spans, key=lambda span: span.high, default=None),
        saved=measure_saving(work, planned.machines, workers),
        enough=find_enough(work, workers),
        rows=tuple(list_rows(work, planned.machines, workers)),
    )
