"""Keeps a folder's placement: who goes on trains runs as the first call did, in the same packs.

What is timed comes out another way each time, and packs and threads decide how sums are rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

from headstart.config.runs import Pack
from headstart.config.study import Study
from headstart.execute.open_study import OpenStudy
from headstart.planning.parallel import count_ranks
from headstart.planning.placement import Placement
from headstart.processors import count_processors
from headstart.records import Gpu, PlacementRecord
from headstart.store.provenance import describe_processor


def note_placement(
    placement: Placement, packs: Sequence[Pack], opened: OpenStudy, earlier: PlacementRecord | None
) -> PlacementRecord:
    """What the folder is to say of it, and of what it said before where that still holds."""
    cut = tuple(tuple(run.key for run in pack.runs) for pack in packs)
    runs = (*(earlier.runs if earlier else ()), *_list_runs(opened))
    before = earlier.packs if earlier else ()  # of runs that tuned too, when what they chose trains
    return PlacementRecord(
        machine=_describe_machine(opened.gpus),
        asked=_list_asked(opened.study),
        workers=placement.workers,
        threads=placement.threads,
        pack=placement.pack,
        reason=placement.reason,
        runs=tuple(dict.fromkeys(runs)),
        packs=tuple(dict.fromkeys((*placement.kept, *before, *cut))),
    )


def find_again(earlier: PlacementRecord | None, opened: OpenStudy) -> Placement | None:
    """The folder's placement; None where it was chosen for other runs: then there is more to gain by another.

    Runs that a rule adds are none of those.
    """
    if earlier is None or (opened.rule is None and not set(_list_runs(opened)) <= set(earlier.runs)):
        return None
    return restore_placement(earlier, opened.study)


def restore_placement(earlier: PlacementRecord, study: Study) -> Placement:
    """The placement that a folder has on record, for the study as it is now."""
    return Placement(
        earlier.workers,
        earlier.threads,
        earlier.reason,
        earlier.pack,
        kept=earlier.packs,
        ranks=count_ranks(study),
    )


def list_changes(earlier: PlacementRecord, opened: OpenStudy) -> list[str]:
    """What keeps the folder's placement from being taken again: what is asked for, or the machine."""
    asked, machine = _list_asked(opened.study), _describe_machine(opened.gpus)
    changes = [
        f"{key}: {now} (was {earlier.asked[key]})"
        for key, now in asked.items()
        if earlier.asked.get(key, now) != now
    ]
    return changes + ([f"{machine} (was {earlier.machine})"] if machine != earlier.machine else [])


def _list_runs(opened: OpenStudy) -> list[str]:
    return [f"{run.arm}/{run.size}/{run.seed}" for run in (*opened.missing, *opened.to_come)]


def _list_asked(study: Study) -> dict[str, int | str]:
    asked: dict[str, int | str] = {"workers": study.workers, "pack": study.pack}
    if study.parallel is None:
        return asked | {"parallel": "none"}
    return asked | {"parallel": f"{study.parallel.kind} of {count_ranks(study)}"}


def _describe_machine(gpus: Sequence[Gpu]) -> str:
    names = ", ".join(gpu.name for gpu in gpus)
    return f"{describe_processor()}, {count_processors()} usable" + (f", {names}" if names else "")
