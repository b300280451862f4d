"""Has a pack end as a whole: its runs' records are all there or none is, at whatever moment a process dies.

A run whose record is missing is trained again; by itself it would round otherwise than in its pack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from headstart.files import read_file, write_text
from headstart.os_faults import writing
from headstart.records import RunRecord
from headstart.records.queue import identify_pack
from headstart.store.digests import add_digests
from headstart.store.layout import StudyLayout
from headstart.store.records import write_record, write_whole_record

_RECORDS = TypeAdapter(tuple[RunRecord, ...])


def write_pack(layout: StudyLayout, records: Sequence[RunRecord]) -> list[RunRecord]:
    """Write the records of runs that trained as one, with their digests: into one file, and from there into
    their folders; gives them so."""
    if len(records) < 2:
        return [write_record(layout, record) for record in records]
    file = _get_file(layout, [record.key for record in records])
    whole = tuple(add_digests(record, layout.get_run_folder(record.key)) for record in records)
    write_text(file, _RECORDS.dump_json(whole).decode() + "\n")
    return list(_settle(layout, file))


def settle_pack(layout: StudyLayout, keys: Sequence[str]) -> tuple[RunRecord, ...]:
    """The records of a pack whose process died after all of it had ended, now in their folders; else none."""
    return _settle(layout, _get_file(layout, keys))


def settle_packs(layout: StudyLayout) -> None:
    """Put the records of all such packs into their folders."""
    for file in _list_files(layout):
        _settle(layout, file)


def read_unsettled(layout: StudyLayout) -> Iterator[RunRecord]:
    """The records of all such packs; writes nothing."""
    for file in _list_files(layout):
        yield from _read(file)


def _list_files(layout: StudyLayout) -> list[Path]:
    return sorted(layout.ended_folder.glob("*.json"))


def _get_file(layout: StudyLayout, keys: Sequence[str]) -> Path:
    return layout.ended_folder / f"{identify_pack(keys)}.json"


def _settle(layout: StudyLayout, file: Path) -> tuple[RunRecord, ...]:
    records = _read(file)
    for record in records:
        write_whole_record(layout, record)
    with writing(file):
        file.unlink(missing_ok=True)
    with suppress(OSError):  # another pack's file is there, or there is no folder
        file.parent.rmdir()
    return records


def _read(file: Path) -> tuple[RunRecord, ...]:
    """The records in a file; none where it is not there, or is of another version: its runs are redone."""
    try:
        return _RECORDS.validate_json(read_file(file))
    except (OSError, ValidationError):
        return ()
