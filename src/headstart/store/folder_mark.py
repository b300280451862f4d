"""Marks a study's folder as ours, and tells it from folders of others: by the mark, never by a name alone.

The mark is a file in `.headstart/` of the folder, and knows the study file that was written there by its
SHA-256. A folder of before, which has none, is known by a study file that is written as ours are, with what
else a run leaves beside it.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any, Final, Literal

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headstart.errors import OutputError
from headstart.files import is_leftover, read_file, write_text
from headstart.json_text import parse_json
from headstart.records import SCHEMA_VERSION, Record
from headstart.store.layout import StudyLayout

#: Keys that stood in the study files of all versions, which fill in every default.
_ALWAYS_WRITTEN: Final = frozenset({"data", "model", "arms", "seeds", "sizes", "training", "workers", "out"})
_FIX: Final = "choose a folder for this study alone: out=FOLDER"


class FolderMark(Record):
    """What makes a folder ours. `study_files` are the SHA-256 of the study file in it: as it was, and is."""

    schema_version: Literal[2] = SCHEMA_VERSION
    holds: Literal["only files that headstart wrote for a study"] = (
        "only files that headstart wrote for a study"
    )
    study_files: tuple[str, ...] = ()


def check_ours(layout: StudyLayout) -> None:
    """See that the folder is new, empty or ours, and its study file as we wrote it; writes nothing.

    Raises:
        OutputError: it holds something else, or a study file of somebody else.
    """
    # Read before the mark: this is written first, and then knows both.
    digest = _digest(layout)
    mark = read_mark(layout)
    if mark is None:
        _check_unmarked(layout)
    elif digest is not None and digest not in mark.study_files:
        raise OutputError(
            "was changed since headstart wrote it, and would be overwritten",
            where=str(layout.study_file),
            expected="the study as it was run; results.json has it too",
            fix=f"move your study file to another folder and restore the former one, or {_FIX}",
        )


def has_other_study_file(layout: StudyLayout) -> bool:
    """Whether the folder's study file is there and not as it was written; never where there is no mark."""
    mark, digest = read_mark(layout), _digest(layout)
    return mark is not None and digest is not None and digest not in mark.study_files


def write_mark(layout: StudyLayout, study_file: str) -> None:
    """Mark the folder as ours, before the text `study_file` becomes its study file."""
    new = hashlib.sha256(study_file.encode()).hexdigest()
    known = tuple(dict.fromkeys(digest for digest in (_digest(layout), new) if digest))
    mark = FolderMark(study_files=known)
    if read_mark(layout) != mark:
        write_text(layout.mark_file, mark.model_dump_json(indent=1) + "\n")


def read_mark(layout: StudyLayout) -> FolderMark | None:
    """The folder's mark; None where it has none, or a file that is no mark."""
    try:
        return FolderMark.model_validate_json(read_file(layout.mark_file))
    except (OSError, ValidationError):
        return None


def is_free(layout: StudyLayout) -> bool:
    """Whether nothing is there but our own bookkeeping, or what a killed first write left."""
    if not layout.out.exists():
        return True
    return layout.out.is_dir() and all(
        entry == layout.own_folder or is_leftover(entry, layout.study_file) for entry in layout.out.iterdir()
    )


def _check_unmarked(layout: StudyLayout) -> None:
    if is_free(layout) or (_is_written_by_us(layout) and _has_traces(layout)):
        return
    if layout.study_file.is_file() and not _is_written_by_us(layout):
        raise OutputError(
            "is a study file that headstart did not write, and would be overwritten",
            where=str(layout.study_file),
            expected="an empty or new folder, or one that an earlier run left",
            fix=_FIX,
        )
    raise OutputError(
        "contains something other than a study",
        where=str(layout.out),
        expected="an empty or new folder, or one that an earlier run left",
        fix=_FIX,
    )


def _has_traces(layout: StudyLayout) -> bool:
    """Whether the folder has what a run writes next to the study file, or nothing but that file."""
    names = {entry.name for entry in layout.out.iterdir() if not entry.name.startswith(".")}
    return names == {layout.study_file.name} or _is_plan(layout) or any(_list_records(layout))


def _is_plan(layout: StudyLayout) -> bool:
    with suppress(OSError, ValueError):
        plan = parse_json(read_file(layout.out / "plan.json"))
        return isinstance(plan, dict) and {"learning_rates", "runs"} <= plan.keys()
    return False


def _list_records(layout: StudyLayout) -> list[Any]:
    return [*layout.runs_folder.glob("*/*/*/record.json"), *layout.runs_folder.glob("*/*/*/*/record.json")]


def _is_written_by_us(layout: StudyLayout) -> bool:
    """Whether a study file is written as ours are: no comments, every default filled in, paths absolute."""
    try:
        text = read_file(layout.study_file).decode("utf-8")
        values = YAML(typ="safe", pure=True).load(text)
    except (OSError, ValueError, YAMLError, RecursionError):
        return False
    has_comments = any(line.lstrip().startswith("#") for line in text.splitlines())
    return not has_comments and isinstance(values, dict) and values.keys() >= _ALWAYS_WRITTEN


def _digest(layout: StudyLayout) -> str | None:
    with suppress(OSError):
        return hashlib.sha256(read_file(layout.study_file)).hexdigest()
    return None
