"""A sheet of paired answers that people judge: CSV that spreadsheets open, written safely and read back.

It knows nothing of arms or studies. A cell that a spreadsheet would compute, or take for a number or a date,
has an apostrophe before it; control characters are written as escapes.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from headstart.data.controls import escape_controls
from headstart.errors import DataError
from headstart.files import write_file_atomically

Choice = Literal["1", "2", "tie"]
_TEXTS: Final = ("prompt", "answer_1", "answer_2", "reference")
_NEEDED: Final = ("sheet", "row", "prompt", "answer_1", "answer_2", "choice")
_CHOICES: Final[dict[str, Choice]] = {"1": "1", "1.0": "1", "2": "2", "2.0": "2", "tie": "tie"}
#: First characters of formulas, in full width too, and the apostrophe itself, so that one is always ours.
_FORMULA: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20'")
#: How months begin, in the languages of many spreadsheets.
_MONTHS: Final = (
    "jan ene gen feb fév fev mar mär mrt apr avr abr mai may maj mag mei jun jul jui giu lug aug aoû ago sep "
    "set oct okt ott out nov dec déc dez dic dici"
).replace(" ", "|")
#: What spreadsheets read as a number, a date or a truth, and write in another form.
_VALUE: Final = re.compile(
    rf"(?=.*\d)(?:[\d\s.,:/%$€£()+-]|\b(?:{_MONTHS})\w*|e|[ap]m)+|true|false", re.IGNORECASE
)
_CELL_LIMIT: Final = 2**31 - 1


@dataclass(frozen=True)
class SheetRow:
    """Two answers to a prompt, and the response that was expected where judges are to see it."""

    row: int
    prompt: str
    answer_1: str
    answer_2: str
    reference: str | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """Its texts, in the order of the columns."""
        texts = (self.prompt, self.answer_1, self.answer_2)
        return texts if self.reference is None else (*texts, self.reference)

    @property
    def digests(self) -> tuple[str, ...]:
        """Of each of its texts."""
        return tuple(map(hash_cell, self.cells))


@dataclass(frozen=True)
class FilledRow:
    """A row as it came back: its texts by column, and the choice; None where there is none yet."""

    where: str
    row: int
    cells: dict[str, str]
    choice: Choice | None

    def find_changed(self, digests: Sequence[str]) -> str | None:
        """The first column whose text is another than the one with that digest; None where there is none."""
        for column, digest in zip(_TEXTS, digests, strict=False):
            text = self.cells.get(column, "")
            # A spreadsheet may have dropped the apostrophe.
            if digest not in (hash_cell(_unguard(text)), hash_cell(text)):
                return column
        return None


@dataclass(frozen=True)
class FilledSheet:
    """A sheet as it came back, with what it is called."""

    path: Path
    sheet: str
    rows: tuple[FilledRow, ...]


def hash_cell(text: str) -> str:
    """SHA-256 of a text as a sheet shows it, whatever white space a spreadsheet leaves of it."""
    return hashlib.sha256(" ".join(escape_controls(text).split()).encode()).hexdigest()


def write_sheet(path: Path, sheet: str, rows: Sequence[SheetRow]) -> None:
    """Write rows to be judged, with an empty column `choice`.

    Raises:
        OSError: it cannot be written.
    """
    texts = _TEXTS if rows[0].reference is not None else _TEXTS[:-1]
    with (
        write_file_atomically(path) as temporary,
        # With a byte-order mark Excel takes it for UTF-8.
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sheet", "row", *texts, "choice"])
        writer.writerows(
            [sheet, row.row, *(_guard(escape_controls(text)) for text in row.cells), ""] for row in rows
        )


def _guard(text: str) -> str:
    bare = text.lstrip()
    return f"'{text}" if bare.startswith(_FORMULA) or _VALUE.fullmatch(bare.rstrip()) else text


def _unguard(text: str) -> str:
    return text.removeprefix("'")


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
        named = ", ".join(f"{cells['choice']!r} in row {cells['row']}" for _, cells in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise DataError(
            f"unknown choice {named}{more}",
            where=unknown[0][0],
            expected="1 or 2, the better answer, tie, or nothing yet",
        )


def _parse_choice(value: str) -> Choice | Literal["unknown"] | None:
    plain = value.strip().strip("'").lower()
    return _CHOICES.get(plain, "unknown") if plain else None


def _parse_row(where: str, cells: dict[str, str]) -> FilledRow:
    number = cells["row"].strip().removesuffix(".0")
    if not number.isascii() or not number.isdigit():
        raise DataError(f"row {cells['row']!r}", where=where, expected="the number that the sheet had")
    choice = _parse_choice(cells["choice"])
    assert choice != "unknown"
    return FilledRow(where, int(number), cells, choice)


def _check_once(rows: Sequence[FilledRow]) -> None:
    seen: dict[int, str] = {}
    for row in rows:
        if row.row in seen:
            raise DataError(
                f"row {row.row} stands there twice, first at {seen[row.row]}",
                where=row.where,
                expected="each row once",
            )
        seen[row.row] = row.where


def _read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows that hold something, each with where it stands."""
    text = _decode(path)
    csv.field_size_limit(_CELL_LIMIT)
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
    try:
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
