"""Reads a finished run's record as it stands, with what was changed in its folder since the run wrote it.

Who reads results refuses such a run (`store.verify`); this is for who asks what became of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.errors import DamagedFileError, HeadstartError
from headstart.os_faults import reading
from headstart.records import RunRecord
from headstart.store.digests import list_changed_files
from headstart.store.ended_packs import read_unsettled
from headstart.store.folder_mark import has_other_study_file
from headstart.store.layout import StudyLayout
from headstart.store.predictions import PredictionReader
from headstart.store.record_bounds import find_impossible
from headstart.store.records import (
    RECORD_CHANGED,
    list_record_files,
    make_record_error,
    read_record,
    read_record_as_it_is,
)
from headstart.store.schema import check_schema
from headstart.store.verify import list_contradictions
from headstart.wording import format_names

#: Runs that a message names.
_SHOWN = 8


@dataclass(frozen=True)
class RecordAsItIs:
    """A run's record, and in sentences what is not as the run wrote it."""

    record: RunRecord
    alterations: tuple[str, ...]


def read_finished(layout: StudyLayout, study: Study, key: str) -> RecordAsItIs:
    """The record of a run that is done, with what was changed.

    Raises:
        HeadstartError: there is no such run, it failed, or is not finished; its record cannot be read.
    """
    check_schema(layout.out)
    record, has_changed = _find_record(layout, key)
    if record.status != "done":
        reason, *_ = (record.error or "").splitlines() or ["no reason is known"]
        raise HeadstartError(
            f"the run failed: {reason}",
            where=str(layout.record_file(key)),
            expected="a run that is done",
            fix="run the study again: runs that failed are tried again",
        )
    told = [f"record.json {RECORD_CHANGED}"] if has_changed else []
    return RecordAsItIs(record, (*told, *_list_alterations(layout, study, record)))


def read_mates(layout: StudyLayout) -> dict[str, RunRecord]:
    """All records of the folder that can be believed, by key: others are left out."""
    found = {}
    for file in list_record_files(layout):
        try:
            record = read_record(file, layout)
        except HeadstartError:
            continue
        found[record.key] = record
    return {record.key: record for record in read_unsettled(layout)} | found


def _find_record(layout: StudyLayout, key: str) -> tuple[RunRecord, bool]:
    keys = {
        file.parent.relative_to(layout.runs_folder).as_posix(): file for file in list_record_files(layout)
    }
    if key in keys:
        return read_record_as_it_is(keys[key], layout)
    unsettled = {record.key: record for record in read_unsettled(layout)}
    if key in unsettled:
        return unsettled[key], False
    raise _make_absence(layout, key, sorted({*keys, *unsettled}))


def _make_absence(layout: StudyLayout, key: str, keys: list[str]) -> HeadstartError:
    """The error of a run that has no record: it is not finished, or there is none of that name."""
    folder = layout.get_run_folder(key)
    is_below = ".." not in Path(key).parts and not Path(key).is_absolute()
    if (
        key.count("/") >= 2
        and is_below
        and folder.is_dir()
        and any(folder.glob("*"))
        and not any(folder.glob("*/record.json"))
    ):
        what, fix = f"run {key} is not finished: it has no record", "finish it with `headstart run`"
        return HeadstartError(what, where=str(layout.out), fix=fix)
    if not keys:
        what, fix = "holds no finished run", "finish the study with `headstart run`"
        return HeadstartError(what, where=str(layout.out), fix=fix)
    below = [known for known in keys if known.startswith(f"{key.rstrip('/')}/")]
    close = below[:1] or difflib.get_close_matches(key, keys, n=1)
    return HeadstartError(
        f"no run {key!r}",
        where=str(layout.out),
        expected=f"ARM/SIZE/SEED, with /GRID POINT in a tuned arm: {format_names(below or keys, _SHOWN)}",
        fix=f"did you mean {close[0]}?" if close else None,
    )


def _list_alterations(layout: StudyLayout, study: Study, record: RunRecord) -> Iterator[str]:
    folder = layout.get_run_folder(record.key)
    if has_other_study_file(layout):
        yield "study.yaml was changed after headstart wrote it"
    if what := find_impossible(record):
        yield f"record.json holds what no run can have: {what}"
    changed = _list_changed(record, folder)
    for name in changed:
        yield f"{name} was changed after the run wrote it: its SHA-256 differs"
    if record.test and not changed and get_task_traits(study.task).tells_metrics:
        yield from _contradict(record, folder, layout)


def _list_changed(record: RunRecord, folder: Path) -> list[str]:
    try:
        with reading(folder):
            return [file.relative_to(folder).as_posix() for file in list_changed_files(record, folder)]
    except OSError as error:
        raise make_record_error(f"a file of this run cannot be read: {error}", folder) from error


def _contradict(record: RunRecord, folder: Path, layout: StudyLayout) -> Iterator[str]:
    """What predictions without a digest say otherwise than the record."""
    try:
        yield from list_contradictions(record, folder, PredictionReader(layout.get_run_folder))
    except DamagedFileError as error:
        yield f"{Path(error.where or '').name}: {error.got}"
