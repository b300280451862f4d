"""What is wrong with a table is said from what is seen: its header, its separator, its rows."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headstart.data.delimited import read_separator
from headstart.data.formats import get_cell, read_cells
from headstart.errors import DataError


def write(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def cells(file: Path, **more: Any) -> list[dict[str, Any]]:
    return [row for _, row in read_cells(file, **more)]


def refused(file: Path, **more: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        cells(file, **more)
    return caught.value


@pytest.mark.parametrize("separator", [",", "\t"])
def test_column_that_stands_twice_is_refused(tmp_path: Path, separator: str) -> None:
    text = separator.join(["text", "label", "note", "label"]) + "\n" + separator.join("abcd") + "\n"
    file = write(tmp_path, text, "a.csv" if separator == "," else "a.tsv")
    error = refused(file)
    assert error.got == "column 'label' appears twice in the header (columns 2, 4)"
    assert error.where == f"{file}:1"


def test_one_column_may_be_without_a_name(tmp_path: Path) -> None:
    """The index, as pandas writes it."""
    assert cells(write(tmp_path, ",text\n0,a\n")) == [{"": "0", "text": "a"}]
    assert refused(write(tmp_path, "text,label,,\na,x,,\n")).got == "columns without a name (columns 3, 4)"


@pytest.mark.parametrize("header", ['""', " ", "\ufeff\ufeff"])
def test_header_without_a_name_is_refused(tmp_path: Path, header: str) -> None:
    assert refused(write(tmp_path, f"{header}\na\n")).got == "a header without a name"


@pytest.mark.parametrize("separator", [",", ";"])
def test_line_of_excel_is_no_header(tmp_path: Path, separator: str) -> None:
    file = write(tmp_path, "sep=;\ntext;label\na;x\n")
    assert refused(file, separator=separator).fix == "remove it: tail -n +2 a.csv > new-a.csv"


def test_spaces_around_a_name_are_shown(tmp_path: Path) -> None:
    ((where, row),) = read_cells(write(tmp_path, "text, label\na,x\n"))
    with pytest.raises(DataError, match="one of the columns: text, ' label'"):
        get_cell(row, "label", where, "data.label")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("row", ["a film", "a, b, c"])
def test_other_separator_is_asked_about(tmp_path: Path, separator: str, row: str) -> None:
    file = write(tmp_path, f"text{separator}label\n{row}{separator}x\n{row}{separator}y\n")
    error = refused(file)
    name = "tabs" if separator == "\t" else repr(separator)
    assert error.got == f"one column, {f'text{separator}label'!r}: separated by {name}?"
    assert error.fix is not None
    spelled = separator.replace("\t", "\\t")
    assert error.fix.startswith(f'set data.separator: "{spelled}" in a study, --separator of predict; or ')
    assert read_separator(spelled) == separator
    assert [c["text"] for c in cells(file, separator=separator)] == [row, row]


def test_command_that_writes_commas_does(tmp_path: Path) -> None:
    rows = [["text", "label"], ['a, "b"', "x"], ["c;d", "y"]]
    made = io.StringIO()
    csv.writer(made, delimiter=";").writerows(rows)
    file = write(tmp_path, made.getvalue())
    command = str(refused(file).fix).split("write it with commas: ")[1]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, timeout=60)
    assert [list(c.values()) for c in cells(tmp_path / "new-a.csv")] == rows[1:]


def test_tsv_of_commas_is_asked_about(tmp_path: Path) -> None:
    error = refused(write(tmp_path, "text,label\na,x\n", "a.tsv"))
    assert error.got == "one column, 'text,label': separated by ','?"
    assert error.fix == "name it .csv: mv a.tsv a.csv"


@pytest.mark.parametrize("text", ["text\na;b\n", "a;b\nno\n", "text; really,label\na;b,x\n"])
def test_semicolons_that_separate_nothing_are_text(tmp_path: Path, text: str) -> None:
    assert len(cells(write(tmp_path, text))) == 1


def test_empty_lines_of_tsv_are_passed_over(tmp_path: Path) -> None:
    file = write(tmp_path, "\ntext\tlabel\n\na\tx\n\n\n", "a.tsv")
    assert [(where[-1], row) for where, row in read_cells(file)] == [("4", {"text": "a", "label": "x"})]


def test_header_again_is_where_files_were_put_together(tmp_path: Path) -> None:
    table = "text,label\na,x\n"
    error = refused(write(tmp_path, table + table))
    assert (error.got, error.where) == ("the header again: two files concatenated?", f"{tmp_path}/a.csv:3")
    error = refused(write(tmp_path, table + "\ufeff" + table))
    assert error.got == "a byte-order mark (U+FEFF) inside the file: two files concatenated?"
    assert cells(write(tmp_path, "text\ntext\n")) == [{"text": "text"}]


def test_mark_inside_a_text_is_text(tmp_path: Path) -> None:
    assert cells(write(tmp_path, "n,text\n1,\ufeffa\n")) == [{"n": "1", "text": "\ufeffa"}]


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("a.csv", "text,label\na,b,x\n", "if a text holds ',': quote texts that contain it"),
        ("a.tsv", "text\tlabel\na\tb\tx\n", "if a text holds tabs: remove it"),
        ("a.csv", "text,label\na\n", None),
    ],
)
def test_ragged_row_says_what_it_may_be(tmp_path: Path, name: str, text: str, fix: str | None) -> None:
    error = refused(write(tmp_path, text, name))
    assert (error.expected, error.fix) == ("columns 'text', 'label'", fix)


def test_carriage_return_in_a_row_is_named(tmp_path: Path) -> None:
    error = refused(write(tmp_path, "text,label\na,x\nb\rc,y\n"))
    assert error.got == "a carriage return (CR) inside a line, outside quotation marks"
    assert error.where == f"{tmp_path}/a.csv:3"
    assert cells(write(tmp_path, 'text,label\n"b\rc",y\n')) == [{"text": "b\rc", "label": "y"}]


@pytest.mark.parametrize("place", [0, 1, 7, 38])
def test_open_quotation_is_found_wherever_it_is(tmp_path: Path, place: int) -> None:
    rows = [f"film {i},x\n" for i in range(40)]
    rows[place] = '"' + rows[place]
    error = refused(write(tmp_path, "text,label\n" + "".join(rows)))
    assert error.where == f"{tmp_path}/a.csv:{place + 2}"


@pytest.mark.parametrize("separator", ["", ";;", '"', "\n"])
def test_separator_is_one_character(separator: str) -> None:
    with pytest.raises(DataError, match="between cells"):
        read_separator(separator)


@pytest.mark.parametrize(
    ("header", "fix"),
    [
        ("text, label", "write 'label' for ' label' in the header; or set data.label to ' label'"),
        ("text,label\u200b", "write 'label' for 'label\\u200b' in the header; or set"),
        ("text,Label", "set data.label to Label"),
        ("text,stars", "set data.label"),
    ],
)
def test_column_of_nearly_that_name_is_named(tmp_path: Path, header: str, fix: str) -> None:
    (row,) = cells(write(tmp_path, f"{header}\na,x\n"))
    with pytest.raises(DataError) as caught:
        get_cell(row, "label", "a.csv:2", "data.label")
    assert str(caught.value.fix).startswith(fix)


def test_of_many_columns_an_error_lists_some() -> None:
    with pytest.raises(DataError) as caught:
        get_cell({f"c{i}": 0 for i in range(60)}, "label", "a.csv:2", "data.label")
    assert str(caught.value.expected).endswith("c18, c19 and 40 more")


@pytest.mark.parametrize(
    "text", ['label, "text"\nx, "a film"\n', 'label,text\nx, "good, a film"\n', 'label;x; "t"\na;b; "c;d"\n']
)
def test_space_before_a_quotation_mark_is_refused(tmp_path: Path, text: str) -> None:
    """It would keep the marks in the cells; the command that is named reads what was meant."""
    separator = ";" if ";" in text.split("\n")[0] else ","
    error = refused(write(tmp_path, text), separator=separator)
    assert "python -c" in str(error.fix)
    command = str(error.fix).removeprefix("no space before a quotation mark: ")
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True, cwd=tmp_path)
    rows = [*csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)]
    assert [[*row.values()] for row in cells(tmp_path / "new-a.csv")] == rows[1:]


def test_marks_behind_a_space_are_ordinary_in_tsv(tmp_path: Path) -> None:
    assert cells(write(tmp_path, 'text\t "x"\na\t "b"\n', "a.tsv")) == [{"text": "a", ' "x"': ' "b"'}]


def test_empty_columns_of_a_spreadsheet_are_told(tmp_path: Path) -> None:
    assert "delete these columns" in str(refused(write(tmp_path, "text,label,,\na,x,,\n")).fix)


def test_a_line_end_within_the_only_name_of_a_header_is_part_of_it(tmp_path: Path) -> None:
    file = write(tmp_path, '"\ntext"\na\n')
    assert cells(file) == [{"\ntext": "a"}]
