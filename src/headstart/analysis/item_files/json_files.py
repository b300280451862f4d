"""Reads JSON of others: a file's first object, to tell formats apart, and all of its objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from headstart.data.formats import Cells
from headstart.data.json_list import iterate_list
from headstart.data.json_rows import holds_list
from headstart.data.lines import read_pieces, read_raw_lines
from headstart.errors import DataError
from headstart.json_text import JsonTextError, parse_json
from headstart.os_faults import reading

#: Characters that are read of a file to tell its format.
_HEAD: Final = 1 << 20
#: Characters of the longest line that is looked at: a list may be on one, with a first object of any size.
_LINE: Final = 1 << 26


def read_first_object(file: Path) -> dict[str, Any]:
    """The first object of JSON Lines or of an array; empty where there is none."""
    try:
        with reading(file), file.open(encoding="utf-8") as stream:
            line = stream.readline(_LINE)
            text = line if line.strip() not in ("[", "") else line + stream.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return {}
    try:
        first, _ = json.JSONDecoder().raw_decode(text.lstrip().removeprefix("[").lstrip())
    except (ValueError, RecursionError):  # ValueError: a number of thousands of digits too
        return {}
    return first if isinstance(first, dict) else {}


def read_objects(file: Path) -> Iterator[Cells]:
    """Every object of JSON Lines, or of one array.

    Raises:
        DataError: the file is not JSON, or holds something else than objects.
    """
    if holds_list(file):
        yield from _read_array(file)
        return
    for number, line in enumerate(read_raw_lines(file), start=1):
        if line.strip():
            where = f"{file}:{number}"
            yield where, parse_object(line, where)


def _read_array(file: Path) -> Iterator[Cells]:
    try:
        for number, value in enumerate(iterate_list(read_pieces(file)), start=1):
            yield f"{file} entry {number}", _check_object(value, f"{file} entry {number}")
    except JsonTextError as error:
        raise DataError(f"not JSON: {error.message}", where=f"{file}:{error.line}") from error


def parse_object(text: str | bytes, where: str) -> dict[str, Any]:
    """One JSON object.

    Raises:
        DataError: it is none.
    """
    return _check_object(_parse(text, where), where)


def _parse(text: str | bytes, where: str) -> Any:
    try:
        return parse_json(text)
    except JsonTextError as error:
        raise DataError(f"not JSON: {error}", where=where) from error


def _check_object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"a JSON {type(value).__name__}", where=where, expected="an object")
    return value
