"""Reads and writes what a study's folder holds as JSON: run records, the stopping rule, plan and results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headstart.errors import OutputError
from headstart.files import write_text
from headstart.records import PlacementRecord, RunRecord, StoppingRule
from headstart.store.layout import StudyLayout
from headstart.store.schema import check_schema


def clear_run_folder(layout: StudyLayout, key: str) -> Path:
    """A folder for the run with nothing but the training state that an unfinished try may have left."""
    folder, checkpoint = layout.get_run_folder(key), layout.get_state_folder(key)
    shutil.rmtree(layout.get_curves_folder(key), ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and entry != checkpoint:
            shutil.rmtree(entry)
        elif entry.is_file():
            entry.unlink()
    # A process that is killed while it writes a state leaves half of one, as large as the model.
    for half_written in checkpoint.glob(".*"):
        half_written.unlink()
    return folder


def write_record(layout: StudyLayout, record: RunRecord) -> None:
    """Write a run's record, which completes it; one that is done needs its training state no more."""
    write_text(layout.record_file(record.key), record.model_dump_json(indent=1) + "\n")
    if record.status == "done":
        shutil.rmtree(layout.get_state_folder(record.key), ignore_errors=True)


def read_records(layout: StudyLayout) -> Iterator[RunRecord]:
    """Every record in the folder, in the order of their paths.

    Raises:
        OutputError: a record cannot be read.
    """
    check_schema(layout.out)
    depths = ("*/*/*/record.json", "*/*/*/*/record.json")  # the latter where an arm tries a grid
    for file in sorted(file for depth in depths for file in layout.runs_folder.glob(depth)):
        yield _read_record(file)


def read_done_records(layout: StudyLayout) -> dict[str, RunRecord]:
    """The completed runs by key."""
    return {record.key: record for record in read_records(layout) if record.status == "done"}


def _read_record(file: Path) -> RunRecord:
    try:
        return RunRecord.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise OutputError(
            f"not a record: {error.errors()[0]['msg']}", where=str(file), fix="delete it; its run is redone"
        ) from error


def write_stopping_rule(layout: StudyLayout, rule: StoppingRule) -> None:
    """Note that seeds are added until contrasts are known, and by which rule."""
    write_text(layout.stopping_rule_file, rule.model_dump_json(indent=1) + "\n")


def read_stopping_rule(layout: StudyLayout) -> StoppingRule | None:
    """The rule by which seeds were added to the study, if it was.

    Raises:
        OutputError: it cannot be read.
    """
    check_schema(layout.out)
    file = layout.stopping_rule_file
    if not file.is_file():
        return None
    try:
        return StoppingRule.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise OutputError(f"no rule: {error.errors()[0]['msg']}", where=str(file)) from error


def write_placement(layout: StudyLayout, placement: PlacementRecord) -> None:
    """Note where and how runs train, before they do."""
    write_text(layout.placement_file, placement.model_dump_json(indent=1) + "\n")


def read_placement(layout: StudyLayout) -> PlacementRecord | None:
    """Where and how the folder's runs train; None where that is not known: it is chosen anew."""
    try:
        return PlacementRecord.model_validate_json(layout.placement_file.read_bytes())
    except (OSError, ValidationError):
        return None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values, indented for people."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
