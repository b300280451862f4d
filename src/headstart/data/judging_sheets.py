"""Writes a sheet of paired answers for people to judge: CSV that is safe to open in a spreadsheet.

It knows nothing of arms or studies. A cell that a spreadsheet would compute, or take for a number or a date,
has an apostrophe before it; control characters are written as escapes.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.data.controls import escape_controls
from headstart.files import write_file_atomically

#: Columns of texts; the last where judges see what was expected.
TEXT_COLUMNS: Final = ("prompt", "answer_1", "answer_2", "reference")
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


def hash_cell(text: str) -> str:
    """SHA-256 of a text as a sheet shows it, whatever white space a spreadsheet leaves of it."""
    return hashlib.sha256(" ".join(escape_controls(text).split()).encode()).hexdigest()


def write_sheet(path: Path, sheet: str, rows: Sequence[SheetRow]) -> None:
    """Write rows to be judged, with an empty column `choice`.

    Raises:
        MachineError: it cannot be written.
    """
    texts = TEXT_COLUMNS if rows[0].reference is not None else TEXT_COLUMNS[:-1]
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


def unguard(text: str) -> str:
    """A cell's text without the apostrophe before it."""
    return text.removeprefix("'")
