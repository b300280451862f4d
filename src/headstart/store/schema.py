"""Refuses a study's folder whose files have another schema version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Final

from headstart.errors import OutputError
from headstart.records import SCHEMA_VERSION

#: Stands first in every file that has a version, so that the head of a file tells it.
_VERSION: Final = re.compile(rb'"schema_version":\s*(\d+)')
_HEAD_BYTES: Final = 256
_NAMES: Final = ("results.json", "until_decided.json", "looks.json")


def check_schema(out: Path) -> None:
    """Check the schema version of the results, the stopping rule, the looks and the records below `out`.

    Raises:
        OutputError: one of them is of another version.
    """
    for file in _list_versioned(out):
        version = read_schema_version(file)
        if version is not None and version != SCHEMA_VERSION:
            age = "an earlier" if version < SCHEMA_VERSION else "a later"
            raise OutputError(
                f"{file.relative_to(out)} is of schema version {version}, which {age} Headstart wrote",
                where=str(out),
                expected=f"schema version {SCHEMA_VERSION}",
                fix="name another folder: out=FOLDER, or use the Headstart that it was run with",
            )


def read_schema_version(file: Path) -> int | None:
    """The version that stands at the head of a file; None where there is none."""
    with file.open("rb") as stream:
        match = _VERSION.search(stream.read(_HEAD_BYTES))
    return int(match[1]) if match else None


def _list_versioned(out: Path) -> Iterator[Path]:
    """The files of the folder that have a version; of records, which one call wrote alike, the first."""
    yield from (file for name in _NAMES if (file := out / name).is_file())
    records = chain(out.glob("runs/*/*/*/record.json"), out.glob("runs/*/*/*/*/record.json"))
    yield from islice(records, 1)
