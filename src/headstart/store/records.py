"""Writes the records of runs, and reads them back as they were written; plain JSON beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from headstart.errors import DamagedFileError
from headstart.files import read_file, write_text
from headstart.json_text import parse_json
from headstart.os_faults import writing
from headstart.records import PlacementRecord, RunRecord
from headstart.store.digests import add_digests, compute_digest
from headstart.store.json_files import read_json, validate
from headstart.store.layout import StudyLayout
from headstart.store.schema import check_schema, check_version

#: What is said of a record whose digest is not that of its values.
RECORD_CHANGED: Final = "was changed after the run wrote it: its digest differs"


def clear_run_folder(layout: StudyLayout, key: str) -> Path:
    """A folder for the run with nothing but the training state that an unfinished try may have left."""
    folder, checkpoint = layout.get_run_folder(key), layout.get_state_folder(key)
    shutil.rmtree(layout.get_curves_folder(key), ignore_errors=True)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            if entry.is_symlink() or entry.is_file():
                entry.unlink()
            elif entry.is_dir() and entry != checkpoint:
                shutil.rmtree(entry)
        # A process that is killed while it writes a state leaves half of one, as large as the model.
        for entry in checkpoint.glob("*"):
            if entry.is_dir():  # no state of ours, and none could be written in its place
                shutil.rmtree(entry)
            elif entry.name.startswith("."):
                entry.unlink()
    return folder


def write_record(layout: StudyLayout, record: RunRecord) -> RunRecord:
    """Write a run's record, which completes it, with the digests of what the run left; gives it so."""
    whole = add_digests(record, layout.get_run_folder(record.key))
    write_whole_record(layout, whole)
    return whole


def write_whole_record(layout: StudyLayout, record: RunRecord) -> None:
    """Write a record that has its digests; a run that is done needs its training state no more."""
    write_text(layout.record_file(record.key), record.model_dump_json(indent=1) + "\n")
    if record.status == "done":
        shutil.rmtree(layout.get_state_folder(record.key), ignore_errors=True)


def list_record_files(layout: StudyLayout) -> list[Path]:
    """Every record in the folder, in the order of their paths."""
    depths = ("*/*/*/record.json", "*/*/*/*/record.json")  # the latter where an arm tries a grid
    return sorted(file for depth in depths for file in layout.runs_folder.glob(depth))


def read_records(layout: StudyLayout) -> Iterator[RunRecord]:
    """Every record in the folder, in the order of their paths. The files beside them are not looked at.

    Raises:
        DamagedFileError: a record cannot be read, was changed, or is of another run than its folder.
        OutputError: one is of another version.
    """
    check_schema(layout.out)
    for file in list_record_files(layout):
        yield read_record(file, layout)


def read_done_records(layout: StudyLayout) -> dict[str, RunRecord]:
    """The completed runs by key."""
    return {record.key: record for record in read_records(layout) if record.status == "done"}


def is_recorded(layout: StudyLayout, key: str) -> bool:
    """Whether the run's record is on disk, and says that it is done."""
    try:
        values = parse_json(read_file(layout.record_file(key)))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.get("status") == "done"


def read_record(file: Path, layout: StudyLayout) -> RunRecord:
    """A run's record, as it was written.

    Raises:
        DamagedFileError: it cannot be read, was changed, or is of another run than its folder.
        OutputError: it is of another version.
    """
    record, has_changed = read_record_as_it_is(file, layout)
    if has_changed:
        raise make_record_error(RECORD_CHANGED, file)
    return record


def read_record_as_it_is(file: Path, layout: StudyLayout) -> tuple[RunRecord, bool]:
    """A run's record, and whether it was changed after it was written.

    Raises:
        DamagedFileError: it cannot be read, or is of another run than its folder.
        OutputError: it is of another version.
    """
    try:
        values = read_json(file)
        check_version(values, file, layout.out)
        record = validate(RunRecord, values, file)
    except DamagedFileError as error:
        raise make_record_error(error.got, file) from error
    if record.key != file.parent.relative_to(layout.runs_folder).as_posix():
        raise make_record_error(f"is the record of another run, {record.key}", file)
    return record, record.digest is not None and record.digest != compute_digest(values)


def make_record_error(what: str, file: Path) -> DamagedFileError:
    """The error of a run's file that is not what the run left."""
    return DamagedFileError(
        what,
        where=str(file),
        expected="the file as the run wrote it",
        fix="run the study again: the run is redone, and the old files are kept in set-aside/",
    )


def write_placement(layout: StudyLayout, placement: PlacementRecord) -> None:
    """Note where and how runs train, before they do."""
    write_text(layout.placement_file, placement.model_dump_json(indent=1) + "\n")


def read_placement(layout: StudyLayout) -> PlacementRecord | None:
    """Where and how the folder's runs train; None where that is not known: it is chosen anew."""
    try:
        return PlacementRecord.model_validate_json(read_file(layout.placement_file))
    except (OSError, ValidationError):
        return None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values, indented for people."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
