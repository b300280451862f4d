"""Sheets as people and spreadsheets give them back: what is read, what is refused, no cell computes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.data.controls import escape_controls
from headstart.data.filled_sheets import read_sheet
from headstart.data.judging_sheets import SheetRow, hash_cell, write_sheet
from headstart.errors import DataError

NASTY = (
    "=1+1",
    "+49 30 1234",
    "-5",
    "@SUM(A1)",
    "  =cmd|' /C calc'!A0",
    "\uff1dHYPERLINK()",
    "'already",
    "''twice",
    "1-2",
    "3/4",
    "007",
    "1e5",
    "12:30",
    "TRUE",
    "3 Jan 2024",
    'said "yes", and\nleft; a\ttab',
    "東京",
    "",
    "\x1b[31mred\x1b[0m",
    "a\x00b\x07",
    "abc\u202edef",
)


def make_rows(texts: tuple[str, ...] = NASTY) -> list[SheetRow]:
    return [
        SheetRow(i, f"prompt {i}", text, f"other {i}", "expected") for i, text in enumerate(texts, start=1)
    ]


def write(path: Path, rows: list[SheetRow] | None = None) -> Path:
    write_sheet(path, "abcdefghijkl", rows or make_rows())
    return path


def fill(path: Path, choices: dict[int, str], edit: Callable[[str], str] = str) -> Path:
    """The sheet with choices, as a spreadsheet that edits its text would save it."""
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    for row in rows[1:]:
        row[-1] = choices.get(int(row[1]), "")
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    path.write_bytes(edit(buffer.getvalue()).encode())
    return path


def test_every_text_comes_back(tmp_path: Path) -> None:
    rows = make_rows()
    filled = read_sheet(write(tmp_path / "s.csv", rows))
    assert (filled.sheet, len(filled.rows)) == ("abcdefghijkl", len(rows))
    for row, read in zip(rows, filled.rows, strict=True):
        assert (read.row, read.choice) == (row.row, None)
        assert read.find_changed(row.digests) is None
        assert read.cells["answer_1"].removeprefix("'") == escape_controls(row.answer_1)


def test_no_cell_begins_as_a_formula_or_looks_like_a_value(tmp_path: Path) -> None:
    """As Excel opens it: the apostrophe keeps each a text."""
    text = write(tmp_path / "s.csv").read_text("utf-8-sig")
    cells = [row["answer_1"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert not any(cell.lstrip().startswith(tuple("=+-@\uff1d")) for cell in cells)
    assert [cell for cell in cells if cell.startswith("'")] == [f"'{text}" for text in NASTY[:15]]


def test_no_control_character_reaches_a_terminal(tmp_path: Path) -> None:
    text = write(tmp_path / "s.csv").read_text("utf-8-sig")
    assert not {"\x1b", "\x00", "\x07", "\u202e"} & set(text)
    assert "\\x1b[31mred" in text


def test_a_spreadsheet_may_change_ends_of_lines_and_drop_apostrophes(tmp_path: Path) -> None:
    rows = make_rows(("=1+1", "two\nlines", "plain"))
    path = write(tmp_path / "s.csv", rows)
    fill(path, {}, lambda text: text.replace("'=1+1", "=1+1").replace("two\n", "two\r\n"))
    assert [
        read.find_changed(row.digests) for row, read in zip(rows, read_sheet(path).rows, strict=True)
    ] == [None] * 3


def test_what_was_edited_is_named(tmp_path: Path) -> None:
    rows = make_rows(("a", "b"))
    path = fill(write(tmp_path / "s.csv", rows), {}, lambda text: text.replace("prompt 2", "Prompt 2"))
    first, second = read_sheet(path).rows
    assert (first.find_changed(rows[0].digests), second.find_changed(rows[1].digests)) == (None, "prompt")


@pytest.mark.parametrize(
    ("written", "choice"),
    [("1", "1"), ("2", "2"), (" TIE ", "tie"), ("1.0", "1"), ("2.0", "2"), ("'2", "2"), ("", None)],
)
def test_choices_as_people_write_them(tmp_path: Path, written: str, choice: str | None) -> None:
    path = fill(write(tmp_path / "s.csv", make_rows(("a",))), {1: written})
    assert read_sheet(path).rows[0].choice == choice


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_as_spreadsheets_of_all_countries_save_it(
    tmp_path: Path, delimiter: str, encoding: str, line_end: str
) -> None:
    rows = make_rows(("a; b", "c, d"))
    path = fill(write(tmp_path / "s.csv", rows), {1: "1", 2: "tie"})
    cells = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=line_end).writerows([*cells, [""] * 7])
    path.write_bytes(buffer.getvalue().encode(encoding))
    filled = read_sheet(path)
    assert [row.choice for row in filled.rows] == ["1", "tie"]
    assert [read.find_changed(row.digests) for row, read in zip(rows, filled.rows, strict=True)] == [None] * 2


def test_empty_ends_of_rows_may_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", make_rows(("a", "b")))
    path.write_text("\n".join(line.rstrip(",") for line in path.read_text("utf-8-sig").splitlines()), "utf-8")
    assert [row.choice for row in read_sheet(path).rows] == [None, None]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.replace("choice", "Auswahl"), ["s.csv:1", "'Auswahl'", "those of a sheet"]),
        (lambda t: t.partition("\n")[0], ["s.csv", "no rows"]),
        (lambda t: t.replace("\nabcdefghijkl,2", "\nzzz,2"), ["several sheets", "'abcdefghijkl', 'zzz'"]),
        (
            lambda t: t.replace("\nabcdefghijkl,2", "\nabcdefghijkl,1"),
            ["s.csv:3", "row 1 appears twice"],
        ),
        (lambda t: t.replace("\nabcdefghijkl,2", "\nabcdefghijkl,two"), ["s.csv:3", "row 'two'"]),
        (lambda t: t.replace("other 2,expected,", "other 2,expected,,more"), ["s.csv:3", "8 cells"]),
        (lambda t: t.replace("other 2", '"other 2'), ["s.csv", "not CSV"]),
        (lambda t: "", ["s.csv:1", "those of a sheet"]),
    ],
)
def test_what_is_no_sheet_is_one_message(
    tmp_path: Path, edit: Callable[[str], str], words: list[str]
) -> None:
    path = write(tmp_path / "s.csv", make_rows(("a", "b")))
    path.write_text(edit(path.read_text("utf-8-sig")), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_sheet(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_all_unknown_choices_are_named_at_once(tmp_path: Path) -> None:
    choices = dict.fromkeys(range(1, 8), "3") | {1: "\x1b[2Jb", 2: "1"}
    path = fill(write(tmp_path / "s.csv", make_rows(tuple("abcdefg"))), choices)
    with pytest.raises(DataError) as caught:
        read_sheet(path)
    message = str(caught.value)
    assert "unknown choice '\\x1b[2Jb' in row 1, '3' in row 3" in message
    assert "and 1 more" in message
    assert "\x1b" not in message


def test_a_sheet_in_latin_1_is_told_how_to_be_saved(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", make_rows(("Straße",)))
    path.write_bytes(path.read_text("utf-8-sig").encode("latin-1"))
    with pytest.raises(DataError, match=r"s\.csv:2: byte 0xdf is not UTF-8(.|\n)*CSV UTF-8"):
        read_sheet(path)


def test_a_digest_is_of_what_the_sheet_shows() -> None:
    assert hash_cell("a  b\r\nc") == hash_cell("a b\nc")
    assert hash_cell("\x1b") == hash_cell("\\x1b")
    assert hash_cell("a") != hash_cell("b")
