"""Keeps the log of looks at a study's results: with which seeds, when, and with which margin in force."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headstart.config.study import Study
from headstart.errors import OutputError
from headstart.files import write_text
from headstart.json_text import parse_json
from headstart.records import Look, Looks
from headstart.store.layout import StudyLayout
from headstart.store.provenance import read_version
from headstart.store.schema import check_schema


def log_look(layout: StudyLayout, study: Study) -> tuple[Look, ...]:
    """Note that results of the study's seeds are seen, if they were not before; gives all looks."""
    looks = read_looks(layout)
    if not looks or set(looks[-1].seeds) != set(study.seeds):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        version = read_version("headstart")
        looks += (Look(time=now, seeds=study.seeds, headstart=version, margin=study.margin),)
    elif layout.looks_file.is_file():
        return looks
    write_text(layout.looks_file, Looks(looks=looks).model_dump_json(indent=1) + "\n")
    return looks


def read_looks(layout: StudyLayout) -> tuple[Look, ...]:
    """The looks at the results of the study, the first one first.

    Where their file is gone, or an earlier Headstart wrote the folder, those that its results tell of.

    Raises:
        OutputError: they cannot be read.
    """
    check_schema(layout.out)
    file = layout.looks_file
    if not file.is_file():
        return _infer_looks(layout.out / "results.json")
    try:
        return Looks.model_validate_json(file.read_bytes()).looks
    except ValidationError as error:
        raise OutputError(f"no looks: {error.errors()[0]['msg']}", where=str(file)) from error


def _infer_looks(results: Path) -> tuple[Look, ...]:
    """From `results.json`: those that it lists, or else the one at the seeds that it is of."""
    if not results.is_file():
        return ()
    try:
        values = parse_json(results.read_bytes())
        looks = values.get("looks") or _describe_results(values, results)
        return tuple(Look.model_validate(look) for look in looks)
    except (ValueError, KeyError, AttributeError) as error:  # not JSON, no results, or no looks
        raise OutputError(
            "cannot be read: it tells with which seeds results were seen",
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
