"""Finds the pack in which a run that is done was trained, by its record and its folder's placement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headstart.config.runs import Pack, Run, expand_runs, find_run
from headstart.config.study import Study
from headstart.records import PlacementRecord, RunRecord
from headstart.training.grouping import halve_pack


def find_recorded_run(study: Study, record: RunRecord) -> Run | None:
    """The run that a record is of; None where the study has no such run any more."""
    point = tuple(record.hyperparameters.items())
    return find_run(study, record.arm, record.size, record.seed, point, for_tuning=record.for_tuning)


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
    known: dict[str, Run | None] = {run.key: run for run in expand_runs(study)}
    known |= {
        key: find_recorded_run(study, records[key]) for key in keys if key in records and key not in known
    }
    runs = [run for key in keys if (run := known.get(key)) is not None]
    return Pack(tuple(runs)) if len(runs) == len(keys) else None


def _sort(pack: Pack, study: Study) -> Pack:
    """A pack in the study's order, in which packs are cut."""
    places = {(run.arm, run.size, run.seed): i for i, run in enumerate(expand_runs(study))}
    return Pack(tuple(sorted(pack.runs, key=lambda run: places.get((run.arm, run.size, run.seed), 0))))
