"""Refuses a study's folder whose files have another schema version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from headstart.errors import DamagedFileError, OutputError
from headstart.records import SCHEMA_VERSION
from headstart.wording import shorten_repr

#: Stands first in every file that has a version, so that the head of a file tells it.
_VERSION: Final = re.compile(rb'"schema_version":\s*(\d+)')
_HEAD_BYTES: Final = 256
_NAMES: Final = ("results.json", "until_decided.json", "looks.json")


def check_version(values: Mapping[str, Any], file: Path, out: Path) -> None:
    """Check the schema version of a file in the folder `out`, before anything else in it is judged: what
    another version changed may look like damage to this one.

    Raises:
        OutputError: it is of another version.
        DamagedFileError: it has none.
    """
    version = values.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool):
        what = (
            "has no schema_version" if version is None else f"its schema_version is {shorten_repr(version)}"
        )
        raise DamagedFileError(
            what,
            where=str(file),
            expected=f"schema version {SCHEMA_VERSION}",
            fix="restore it, or name another folder: out=FOLDER",
        )
    _check_number(version, file, out)


def describe_version(version: int, known: int) -> str:
    """What a file of another version is."""
    return (
        f"of schema version {version}, which {'an earlier' if version < known else 'a later'} Headstart wrote"
    )


def check_schema(out: Path) -> None:
    """Check the versions of the results, the stopping rule, the looks and the first record below `out` by
    their heads: nothing is to be prepared for a folder that is refused in the end.

    Raises:
        OutputError: one of them is of another version.
    """
    for file in _list_versioned(out):
        version = read_schema_version(file)
        if version is not None:
            _check_number(version, file, out)


def read_schema_version(file: Path) -> int | None:
    """The version that stands at the head of a file; None where there is none, or it cannot be read."""
    try:
        with file.open("rb") as stream:
            match = _VERSION.search(stream.read(_HEAD_BYTES))
    except OSError:  # said by who reads the whole of it
        return None
    return int(match[1]) if match else None


def _check_number(version: int, file: Path, out: Path) -> None:
    if version != SCHEMA_VERSION:
        raise OutputError(
            f"{file.relative_to(out)} is {describe_version(version, SCHEMA_VERSION)}",
            where=str(out),
            expected=f"schema version {SCHEMA_VERSION}",
            fix="name another folder: out=FOLDER, or use the Headstart that it was run with",
        )


def _list_versioned(out: Path) -> Iterator[Path]:
    """The files of the folder that have a version; of records, which say it themselves when they are read,
    the first."""
    yield from (file for name in _NAMES if (file := out / name).is_file())
    records = chain(out.glob("runs/*/*/*/record.json"), out.glob("runs/*/*/*/*/record.json"))
    yield from islice((file for file in records if file.is_file()), 1)
