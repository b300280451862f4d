"""Reads JSON Lines, or one JSON list, into rows; a key that stands twice in an object is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from headstart.data.json_list import iterate_list
from headstart.data.json_tables import check_row
from headstart.data.lines import make_rewrite, read_lines, read_pieces
from headstart.errors import DataError
from headstart.json_text import JsonTextError, parse_json

Rows = Iterator[tuple[str, dict[str, Any]]]


def read_json(path: Path) -> Rows:
    """The objects of a file that has one on each line, or one list of them; empty lines are passed over.

    Rows of lines stand at `file:line`, those of a list at `file row n`.

    Raises:
        DataError: something else than an object is there, or a key twice in one.
    """
    if holds_list(path):
        yield from _read_list(path)
        return
    lines = enumerate(read_lines(path), start=1)
    for number, line in lines:
        if line.strip() == "{":
            raise _explain_spread(path, f"{path}:{number}")
        elif line.strip():
            yield from _read_objects(line, number, lines, path)


def _read_objects(line: str, number: int, rest: Iterator[tuple[int, str]], path: Path) -> Rows:
    """The object on the first line that holds one, and those on the rest."""
    where, cells = _read_object(line, f"{path}:{number}")
    following = ((number, line) for number, line in rest if line.strip())
    second = next(following, None)
    if second is None:
        check_row(cells, path, where)
    yield where, cells
    for number, line in chain([] if second is None else [second], following):
        yield _read_object(line, f"{path}:{number}")


def _read_object(line: str, where: str) -> tuple[str, dict[str, Any]]:
    try:
        cells = parse_json(line, _join_pairs)
    except JsonTextError as error:
        raise DataError(_describe_fault(line, error), where=where, expected="one object per line") from error
    except _TwiceError as error:
        raise _refuse_twice(error, where) from error
    return where, _check_object(cells, where, "one object per line")


def _describe_fault(line: str, error: JsonTextError) -> str:
    if line.startswith("\ufeff"):
        return "a byte-order mark (U+FEFF) inside the file: two files concatenated?"
    return f"not JSON: {error.message}"


def holds_list(path: Path) -> bool:
    """Whether a file is one JSON list, and not lines."""
    return next((piece for piece in read_pieces(path) if piece.strip()), "").lstrip().startswith("[")


def _read_list(path: Path) -> Rows:
    """The objects of one list."""
    number = 0
    try:
        for number, value in enumerate(iterate_list(read_pieces(path), _join_pairs), start=1):
            if not isinstance(value, dict):
                _check_lines(path)
            where = f"{path} row {number}"
            yield where, _check_object(value, where, "a list of objects")
    except JsonTextError as error:
        if error.message == "Extra data":
            _check_lines(path)
        raise DataError(
            f"not JSON: {error.message}",
            where=f"{path}:{error.line}",
            expected="one list of objects, or one object per line",
        ) from error
    except _TwiceError as error:
        raise _refuse_twice(error, f"{path} row {number + 1}") from error


def _check_lines(path: Path) -> None:
    """Refuse a list on each line by what it is, which is likelier than a list that goes on behind its end."""
    lines = ((number, line) for number, line in enumerate(read_pieces(path), start=1) if line.strip())
    first, second = next(lines, (0, "")), next(lines, (0, ""))
    if first[1].rstrip().endswith("]") and second[1].lstrip().startswith("["):
        raise DataError(
            "a list on each line",
            where=f"{path}:{second[0]}",
            expected="one object per line, with the names of its columns",
            fix=make_rewrite(path, "jq -c '{{text: .[0], label: .[1]}}' {file} > {new}"),
        )


def _check_object(value: object, where: str, expected: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"a JSON {type(value).__name__}", where=where, expected=expected)
    return value


def _explain_spread(path: Path, where: str) -> DataError:
    return DataError(
        "one JSON object over several lines",
        where=where,
        expected="one object per line, or one list of objects",
        fix=make_rewrite(path, "if a key holds the list of rows: jq -c '.KEY[]' {file} > {stem}.jsonl"),
    )


class _TwiceError(Exception):
    """A key stands twice in an object."""


def _join_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, none of whose values is lost."""
    cells = dict(pairs)
    if len(cells) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return cells


def _refuse_twice(error: _TwiceError, where: str) -> DataError:
    return DataError(
        f"key {error.args[0]!r} appears twice in one object",
        where=where,
        expected="each key once",
        fix="rename or remove one",
    )
