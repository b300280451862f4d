"""Says what is wrong with the quotation marks of a CSV file, and what its separator is called."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from headstart.errors import DataError

#: What people's tables are separated by, and the name that an error gives it.
SEPARATORS: Final = {";": "';'", "\t": "tabs", "|": "'|'", ",": "','"}


def name_separator(separator: str) -> str:
    """As an error calls it."""
    return SEPARATORS.get(separator, repr(separator))


def explain_quotation(error: csv.Error, path: Path, start: int, row: str, separator: str) -> DataError:
    """What is wrong with the quotation marks of a CSV file, at the line where the fault begins.

    Args:
        start: the line on which the row begins that could not be read.
        row: the row, as far as it was read.
    """
    if "new-line" in str(error):
        return DataError(
            "a carriage return (CR) inside a line, outside quotation marks",
            where=f"{path}:{start}",
            expected="lines that end with LF, or with CR and LF",
            fix="quote texts that contain line ends, or remove the CR",
        )
    opened = start + row[: _find_last_opening(row, separator)].count("\n")
    last = start + row.rstrip("\r\n").count("\n")
    if "unexpected end" in str(error):
        return DataError(
            "not CSV: a quotation mark opens a cell here that is never closed",
            where=f"{path}:{opened}",
            expected='a closing "',
            fix='close it, or write a quotation mark in a text as "" inside a quoted cell',
        )
    begins = "" if opened == last else f", which opens at line {opened}"
    return DataError(
        f"not CSV: text after the closing quotation mark of a cell{begins}",
        where=f"{path}:{opened}",
        expected=f"{name_separator(separator)} or the end of the line (line {last})",
        fix='write a quotation mark inside a quoted cell as "" (not as \\")',
    )


def _find_last_opening(row: str, separator: str) -> int:
    """Where in a row the last quoted cell begins; 0 where none does."""
    position, opening = 0, 0
    while position < len(row):
        if row[position] == '"':
            opening = position
            position = _skip_quoted(row, position + 1)
        while position < len(row) and row[position] not in (separator, "\n"):
            position += 1
        position += 1
    return opening


def _skip_quoted(row: str, position: int) -> int:
    """The place behind the quotation mark that closes a cell; the row's end where none does."""
    while position < len(row):
        if row[position] == '"':
            if row[position + 1 : position + 2] != '"':
                return position + 1
            position += 1
        position += 1
    return position
