"""Finds the pack in which a run that is done was trained, by its record and its folder's placement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headstart.config.arm_settings import GridPoint, get_tuning_seeds, list_grid_points
from headstart.config.runs import Cell, Pack, Run, expand_runs
from headstart.config.study import Study
from headstart.records import PlacementRecord, RunRecord
from headstart.training.grouping import halve_pack


def find_run(study: Study, record: RunRecord) -> Run | None:
    """The run that a record is of; None where the study has no such run any more."""
    runs = expand_runs(study, _find_point(study, record))
    return next((run for run in runs if run.key == record.key), None)


def find_pack(
    study: Study, record: RunRecord, placement: PlacementRecord | None, records: Mapping[str, RunRecord]
) -> Pack | None:
    """The runs that trained as one with the record's, itself among them, in their order.

    None where they cannot be told, or the study has one of them no more.

    Args:
        records: of the folder's runs, by key.
    """
    records = {**records, record.key: record}
    size = record.execution.pack_size if record.execution else 1
    if size <= 1:
        return _make_pack([record.key], study, records)
    for whole in _list_candidates(study, record, placement, records):
        for part in _list_parts(whole):
            if len(part.runs) == size and any(run.key == record.key for run in part.runs):
                return part
    return None


def _list_candidates(
    study: Study, record: RunRecord, placement: PlacementRecord | None, records: Mapping[str, RunRecord]
) -> Iterator[Pack]:
    """The packs that were cut with the run in them; then the runs that are on record as one."""
    for keys in placement.packs if placement else ():
        if record.key in keys and (pack := _make_pack(keys, study, records)):
            yield pack
    if pack := _make_pack(_list_alike(record, records), study, records):
        yield _sort(pack, study)


def _list_parts(pack: Pack) -> Iterator[Pack]:
    """A pack and what becomes of it where memory runs out: its halves, and theirs."""
    yield pack
    if len(pack.runs) > 1:
        for half in halve_pack(pack):
            yield from _list_parts(half)


def _list_alike(record: RunRecord, records: Mapping[str, RunRecord]) -> tuple[str, ...]:
    """The runs whose records have the very same seconds and memory, which are the pack's."""
    own = _describe_pack(record)
    return tuple(key for key, other in records.items() if _describe_pack(other) == own)


def _describe_pack(record: RunRecord) -> tuple[object, ...]:
    size = record.execution.pack_size if record.execution else 1
    return record.seconds, record.peak_memory_bytes, record.peak_device_memory_bytes, size


def _make_pack(keys: Sequence[str], study: Study, records: Mapping[str, RunRecord]) -> Pack | None:
    """The runs of these keys, in their order; None where the study has one of them no more."""
    known = {run.key: run for run in expand_runs(study)}
    for key in keys:
        if key not in known and key in records:
            known |= {run.key: run for run in expand_runs(study, _find_point(study, records[key]))}
    return None if any(key not in known for key in keys) else Pack(tuple(known[key] for key in keys))


def _sort(pack: Pack, study: Study) -> Pack:
    """A pack in the study's order, in which packs are cut."""
    places = {(run.arm, run.size, run.seed): i for i, run in enumerate(expand_runs(study))}
    return Pack(tuple(sorted(pack.runs, key=lambda run: places.get((run.arm, run.size, run.seed), 0))))


def _find_point(study: Study, record: RunRecord) -> dict[Cell, GridPoint]:
    """The grid point of a run that is judged where tuning seeds chose it; else nothing: it is known so."""
    arm = study.arms.get(record.arm)
    if arm is None or record.for_tuning or not record.hyperparameters or not get_tuning_seeds(study, arm):
        return {}
    own = dict(record.hyperparameters)
    points = (point for point in list_grid_points(study, arm) if dict(point) == own)
    return {(record.arm, record.size): next(points, tuple(own.items()))}
