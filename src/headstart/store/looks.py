"""Keeps the log of looks at a study's results: with which seeds, when, and with which margin in force."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headstart.config.study import Study
from headstart.errors import DamagedFileError
from headstart.files import write_text
from headstart.records import Look, Looks
from headstart.store.json_files import read_json, read_versioned, validate
from headstart.store.layout import StudyLayout
from headstart.store.provenance import read_version
from headstart.store.schema import check_schema
from headstart.store.set_aside import set_file_aside


def log_look(layout: StudyLayout, study: Study) -> tuple[Look, ...]:
    """Note that results of the study's seeds are seen, if they were not before; gives all looks."""
    looks = read_looks(layout)
    if not looks or set(looks[-1].seeds) != set(study.seeds):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        version = read_version("headstart")
        looks += (Look(time=now, seeds=study.seeds, headstart=version, margin=study.margin),)
    elif layout.looks_file.is_file() and not find_damaged_looks(layout):
        return looks
    if find_damaged_looks(layout):
        set_file_aside(layout, layout.looks_file)
    write_text(layout.looks_file, Looks(looks=looks).model_dump_json(indent=1) + "\n")
    return looks


def read_looks(layout: StudyLayout) -> tuple[Look, ...]:
    """The looks at the results of the study, the first one first.

    Where their file is gone or cannot be read, or an earlier Headstart wrote the folder, those that its
    results tell of.

    Raises:
        DamagedFileError: neither can be read.
        OutputError: they are of another version.
    """
    check_schema(layout.out)
    file, results = layout.looks_file, layout.out / "results.json"
    if not file.exists():
        return _infer_looks(results)
    try:
        return read_versioned(Looks, file, layout.out).looks
    except DamagedFileError as error:
        if looks := _find_noted_looks(results):
            return looks
        raise error


def find_damaged_looks(layout: StudyLayout) -> DamagedFileError | None:
    """What is wrong with the file of looks, where those that the results list stand for it; else None."""
    file = layout.looks_file
    try:
        if file.exists():
            read_versioned(Looks, file, layout.out)
    except DamagedFileError as error:
        return error if _find_noted_looks(layout.out / "results.json") else None
    return None


def _find_noted_looks(results: Path) -> tuple[Look, ...]:
    """Those that the results list; none where they list none, or cannot be read."""
    try:
        return validate(Looks, {"looks": read_json(results).get("looks")}, results).looks
    except DamagedFileError:
        return ()


def _infer_looks(results: Path) -> tuple[Look, ...]:
    """From `results.json`: those that it lists, or else the one at the seeds that it is of."""
    if not results.exists():
        return ()
    try:
        values = read_json(results)
        looks = values.get("looks") or _describe_results(values, results)
        return tuple(Look.model_validate(look) for look in looks)
    # No results, or no looks in them.
    except (DamagedFileError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedFileError(
            "cannot be read: it records with which seeds results were seen",
            where=str(results),
            fix="put it back, or name another folder: out=FOLDER",
        ) from error


def _describe_results(values: dict[str, Any], results: Path) -> list[dict[str, Any]]:
    """A look at results that say nothing of looks; none where every run had failed."""
    done = [run for run in values["runs"] if run["status"] == "done"]
    if not done:
        return []
    written = datetime.fromtimestamp(results.stat().st_mtime, UTC).isoformat(timespec="seconds")
    version = (done[-1].get("provenance") or {}).get("headstart")
    study = values["study"]
    return [
        {
            "time": written,
            "seeds": study["seeds"],
            "headstart": version,
            "margin": study.get("margin"),
        }
    ]
