"""Reads a sheet of paired answers that people filled in, as spreadsheets of all countries save it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from headstart.data.delimited import CELL_LIMIT
from headstart.data.judging_sheets import TEXT_COLUMNS, hash_cell, unguard
from headstart.data.lines import require_file
from headstart.errors import DataError
from headstart.os_faults import reading
from headstart.wording import format_names

Choice = Literal["1", "2", "tie"]
_NEEDED: Final = ("sheet", "row", "prompt", "answer_1", "answer_2", "choice")
_CHOICES: Final[dict[str, Choice]] = {"1": "1", "1.0": "1", "2": "2", "2.0": "2", "tie": "tie"}
#: Unknown choices that a message shows.
_CHOICES_NAMED: Final = 5


@dataclass(frozen=True)
class FilledRow:
    """A row as it came back: its texts by column, and the choice; None where there is none yet."""

    where: str
    row: int
    cells: dict[str, str]
    choice: Choice | None

    def find_changed(self, digests: Sequence[str]) -> str | None:
        """The first column whose text is another than the one with that digest; None where there is none."""
        for column, digest in zip(TEXT_COLUMNS, digests, strict=False):
            text = self.cells.get(column, "")
            # A spreadsheet may have dropped the apostrophe.
            if digest not in (hash_cell(unguard(text)), hash_cell(text)):
                return column
        return None


@dataclass(frozen=True)
class FilledSheet:
    """A sheet as it came back, with what it is called."""

    path: Path
    sheet: str
    rows: tuple[FilledRow, ...]


def read_sheet(path: Path) -> FilledSheet:
    """A sheet that people filled in; commas, semicolons and tabs are read, UTF-8 and UTF-16 by its mark.

    Raises:
        DataError: it cannot be read, is none, has rows of several sheets or one twice, or unknown choices.
    """
    rows = list(_read_rows(path))
    if not rows:
        raise DataError("no rows", where=str(path), expected="the sheet that headstart judge wrote")
    _check_choices(rows)
    names = {cells["sheet"].strip() for _, cells in rows}
    if len(names) > 1:
        raise DataError(
            f"rows of several sheets: {', '.join(map(repr, sorted(names)))}",
            where=str(path),
            expected="a file for each sheet",
        )
    filled = tuple(_parse_row(where, cells) for where, cells in rows)
    _check_once(filled)
    return FilledSheet(path, names.pop(), filled)


def _check_choices(rows: Sequence[tuple[str, dict[str, str]]]) -> None:
    """See that every choice is known: all others are named at once."""
    unknown = [(where, cells) for where, cells in rows if _parse_choice(cells["choice"]) == "unknown"]
    if unknown:
        choices = [f"{cells['choice']!r} in row {cells['row']}" for _, cells in unknown]
        raise DataError(
            f"unknown choice {format_names(choices, _CHOICES_NAMED)}",
            where=unknown[0][0],
            expected="1 or 2, the better answer, tie, or nothing yet",
        )


def _parse_choice(value: str) -> Choice | Literal["unknown"] | None:
    plain = value.strip().strip("'").lower()
    return _CHOICES.get(plain, "unknown") if plain else None


def _parse_row(where: str, cells: dict[str, str]) -> FilledRow:
    number = cells["row"].strip().removesuffix(".0")
    if not number.isascii() or not number.isdigit():
        raise DataError(
            f"row {cells['row']!r}", where=where, expected="the row number as written in the sheet"
        )
    choice = _parse_choice(cells["choice"])
    assert choice != "unknown"
    return FilledRow(where, int(number), cells, choice)


def _check_once(rows: Sequence[FilledRow]) -> None:
    seen: dict[int, str] = {}
    for row in rows:
        if row.row in seen:
            raise DataError(
                f"row {row.row} appears twice, first at {seen[row.row]}",
                where=row.where,
                expected="each row once",
            )
        seen[row.row] = row.where


def _read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows that hold something, each with where it stands."""
    text = _decode(path)
    csv.field_size_limit(CELL_LIMIT)
    delimiter, header = _find_header(text, path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for values in reader:
            where, is_header, start = f"{path}:{start}", start == 1, reader.line_num + 1
            if is_header or not any(value.strip() for value in values):
                continue
            if any(value.strip() for value in values[len(header) :]):
                raise DataError(f"{len(values)} cells, the header has {len(header)}", where=where)
            values = [*values, *[""] * (len(header) - len(values))]  # spreadsheets drop empty ends
            yield where, dict(zip(header, values, strict=False))
    except csv.Error as error:
        raise DataError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def _decode(path: Path) -> str:
    require_file(path)
    try:
        with reading(path):
            raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
    is_wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            where=f"{path}:{line}",
            expected="a sheet in UTF-8",
            fix='save it as "CSV UTF-8" from the spreadsheet',
        ) from error


def _find_header(text: str, path: Path) -> tuple[str, list[str]]:
    """The separator by which the first line has the columns of a sheet, and these."""
    line = re.split(r"[\r\n]", text, maxsplit=1)[0]
    found = []
    for delimiter in (",", ";", "\t"):
        header = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if set(_NEEDED) <= set(header):
            return delimiter, header
        found.append(header)
    columns = max(found, key=len)
    raise DataError(
        f"columns {', '.join(map(repr, columns))}",
        where=f"{path}:1",
        expected=f"those of a sheet that headstart judge wrote: {', '.join(_NEEDED)}",
    )
