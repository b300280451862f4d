"""Every format gives its rows with their place, and a line that cannot be read is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.data.formats import read_cells
from headstart.data.lines import read_raw_lines
from headstart.errors import DataError

TWO = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
JSONL = '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def cells(path: Path, *columns: str) -> list[dict[str, Any]]:
    return [row for _, row in read_cells(path, columns)]


def places(path: Path, *columns: str) -> list[str]:
    """Where the rows stand, without the folder's name."""
    return [where.replace(f"{path.parent}/", "") for where, _ in read_cells(path, columns)]


def refused(path: Path, *columns: str) -> str:
    with pytest.raises(DataError) as caught:
        list(read_cells(path, columns))
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\na,x\nb,y\n"),
        ("a.CSV", "text,label\na,x\nb,y"),
        ("a.tsv", "text\tlabel\na\tx\nb\ty\n"),
        ("a.tsv", "text\tlabel\na\tx\nb\ty"),
        ("a.jsonl", JSONL),
        ("a.ndjson", JSONL),
        ("a.json", JSONL.rstrip()),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_text_formats_give_their_rows(tmp_path: Path, name: str, content: str, end: str, mark: str) -> None:
    assert cells(write(tmp_path, name, mark + content.replace("\n", end))) == TWO


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\na,x\nb,y\n"),
        ("a.tsv", "text\tlabel\na\tx\nb\ty\n"),
        ("a.jsonl", "\n" + JSONL),
    ],
)
def test_rows_stand_on_lines_two_and_three(tmp_path: Path, name: str, content: str) -> None:
    assert places(write(tmp_path, name, content)) == [f"{name}:2", f"{name}:3"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    assert cells(write(tmp_path, name, "")) == []


def test_csv_cell_may_hold_commas_quotes_and_newlines(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", 'text,label\n"one, ""two""\nthree",x\n')
    assert cells(file) == [{"text": 'one, "two"\nthree', "label": "x"}]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_rows_after_a_quoted_newline_have_the_right_line(tmp_path: Path, end: str) -> None:
    text = 'text,label\n"a\nb\nc",x\nd,y\n"e\nf",z\ng,x\n'.replace("\n", end)
    assert places(write(tmp_path, "a.csv", text)) == ["a.csv:2", "a.csv:5", "a.csv:6", "a.csv:8"]


def test_csv_row_after_blank_lines_has_the_right_line(tmp_path: Path) -> None:
    assert places(write(tmp_path, "a.csv", "text,label\n\n\na,x\n\nb,y\n")) == ["a.csv:4", "a.csv:6"]


def test_csv_header_may_span_lines(tmp_path: Path) -> None:
    assert places(write(tmp_path, "a.csv", '"the\ntext",label\na,x\n')) == ["a.csv:3"]


def test_csv_cell_may_be_long(tmp_path: Path) -> None:
    assert len(cells(write(tmp_path, "a.csv", f"text,label\n{'a' * 200_000},x\n"))[0]["text"]) == 200_000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "text,label\na,x\nb\n", "a.csv:3: 1 cell, the header has 2"),
        ("a.csv", "text,label\na,x,z,w\n", "a.csv:2: 4 cells, the header has 2"),
        ("a.csv", 'text,label\n"a\nb",x\nc,d,e\n', "a.csv:4: 3 cells, the header has 2"),
        ("a.tsv", "text\tlabel\na\tx\nb\n", "a.tsv:3: 1 cell, the header has 2"),
        ("a.tsv", "text\tlabel\na\tx\ty\n", "a.tsv:2: 3 cells, the header has 2"),
    ],
)
def test_ragged_row_is_named(tmp_path: Path, name: str, content: str, expected: str) -> None:
    assert refused(write(tmp_path, name, content)).splitlines()[0] == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            'text,label\n"a,x\nb,y\n',
            "a.csv:2: not CSV: a quotation mark opens a cell here that is never closed",
        ),
        ('text,label\na,x\n"b\nc",y\nd,"x\ne,y\n', "a.csv:5: not CSV: a quotation mark opens"),
        ('text,label\na,x\n"b\nc","y\nd,x\ne,y\n', "a.csv:4: not CSV: a quotation mark opens"),
        ('text,label\nb,y\n"a"b,x\n', "a.csv:3: not CSV: text after the closing quotation mark of a cell\n"),
        ('text,label\n"a,x\nb,y\n"c,z\n', "a.csv:2: not CSV: text after the closing quotation mark"),
        ('text,label\n"a \\"b\\" c",x\n', "a.csv:2: not CSV: text after the closing quotation mark"),
    ],
)
def test_broken_quotation_is_named_where_it_opens(tmp_path: Path, content: str, expected: str) -> None:
    assert refused(write(tmp_path, "a.csv", content)).startswith(expected)


def test_tsv_keeps_bare_quotation_marks(tmp_path: Path) -> None:
    file = write(tmp_path, "a.tsv", 'text\tlabel\n"a\tx\nthe "b"\ty\n')
    assert [row["text"] for row in cells(file)] == ['"a', 'the "b"']


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\x0c", "\x1c"])
def test_unusual_line_ends_are_part_of_the_text(tmp_path: Path, odd: str) -> None:
    tsv = write(tmp_path, "a.tsv", f"text\tlabel\na{odd}b\tx\n")
    parallel = write(tmp_path, "p.text", f"a{odd}b\n").with_suffix("")
    assert cells(tsv) == [{"text": f"a{odd}b", "label": "x"}]
    assert cells(parallel, "text") == [{"text": f"a{odd}b"}]


def test_json_string_may_hold_a_line_separator(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", '{"text": "a\u2028b"}\n{"text": "c"}\n')
    assert cells(file) == [{"text": "a\u2028b"}, {"text": "c"}]


def test_json_values_keep_their_types(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", '{"text": "a", "label": ["x", "y"], "n": 1.5, "g": null}\n')
    assert cells(file) == [{"text": "a", "label": ["x", "y"], "n": 1.5, "g": None}]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"text": "a"', "a.jsonl:3: not JSON: "),
        ("[1]", "a.jsonl:3: a JSON list\n  expected: one object per line"),
        ("3", "a.jsonl:3: a JSON int"),
    ],
)
def test_line_that_is_no_json_object_is_named(tmp_path: Path, line: str, expected: str) -> None:
    assert refused(write(tmp_path, "a.jsonl", f'{{"text": "a"}}\n\n{line}\n')).startswith(expected)


def test_parquet_gives_its_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": [["x"], []]}), tmp_path / "a.parquet")
    assert cells(tmp_path / "a.parquet") == [{"text": "a", "label": ["x"]}, {"text": "b", "label": []}]
    assert places(tmp_path / "a.parquet") == ["a.parquet row 1", "a.parquet row 2"]


@pytest.mark.parametrize("content", [b"", b"text,label\n", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refused(write(tmp_path, "a.parquet", content)).startswith("a.parquet: not Parquet: ")


def test_parquet_damaged_before_its_footer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{i} " * 50 for i in range(2000)]}), file)
    raw = file.read_bytes()
    file.write_bytes(raw[:100] + b"\xff" * 300 + raw[400:])
    assert refused(file).startswith("a.parquet: not Parquet: ")


def test_parquet_with_a_broken_name_of_a_column_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), file)
    raw = file.read_bytes()
    place = raw.index(b"\x18\x05label", raw.index(b"schema")) + 2  # not where statistics name it
    file.write_bytes(raw[:place] + b"\x00\x00\x80el" + raw[place + 5 :])
    assert refused(file).startswith("a.parquet: not Parquet: ")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_parallel_files_are_read_side_by_side(tmp_path: Path, end: str, last: bool) -> None:
    write(tmp_path, "train.review", end.join(["a", "b"]) + end * last)
    write(tmp_path, "train.label", end.join(["x", "y"]) + end * last)
    stem = tmp_path / "train"
    assert cells(stem, "review", "label") == [{"review": "a", "label": "x"}, {"review": "b", "label": "y"}]
    assert places(stem, "review", "label") == ["train.review:1", "train.review:2"]


def test_parallel_files_keep_a_blank_line(tmp_path: Path) -> None:
    write(tmp_path, "t.review", "a\n\nb\n")
    write(tmp_path, "t.label", "1\n2\n3\n")
    assert [row["review"] for row in cells(tmp_path / "t", "review", "label")] == ["a", "", "b"]


def test_stem_may_hold_dots(tmp_path: Path) -> None:
    write(tmp_path, "v1.2.text", "a\n")
    assert cells(tmp_path / "v1.2", "text") == [{"text": "a"}]


def test_parallel_files_of_unequal_length_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "t.review", "a\nb\nc\n")
    write(tmp_path, "t.label", "1\n2\n")
    message = refused(tmp_path / "t", "review", "label")
    assert message.startswith("t: t.review has 3 lines, t.label has 2 lines\n")


def test_folder_gives_one_class_a_sub_folder(tmp_path: Path) -> None:
    for name, text in {"pos/b.txt": "good\n", "pos/a.txt": "fine", "neg/a.txt": "bad"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path, name, text)
    (tmp_path / ".git").mkdir()
    write(tmp_path, ".git/a.txt", "no class")
    write(tmp_path, "pos/notes.md", "no text")
    assert [(row["text"], row["label"]) for row in cells(tmp_path)] == [
        ("bad", "neg"),
        ("fine", "pos"),
        ("good", "pos"),
    ]
    assert [Path(where).name for where, _ in read_cells(tmp_path)] == ["a.txt", "a.txt", "b.txt"]


def test_folder_without_classes_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "text")
    assert "no class folders with .txt files" in refused(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json"])
def test_undecodable_byte_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    table, lines = b"text\tlabel\nok\tx\ncaf\xe9\ty\n", b'{"text": "ok"}\n\n{"text": "caf\xe9"}\n'
    contents = {"a.csv": table.replace(b"\t", b","), "a.tsv": table}
    message = refused(write(tmp_path, name, contents.get(name, lines)))
    assert message.startswith(f"{name}:3: byte 0xe9 is not UTF-8\n  expected: UTF-8 text\n")
    assert f"iconv -f WINDOWS-1252 -t UTF-8 {name} > new-{name}" in message


def test_undecodable_byte_of_a_parallel_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, "t.review", "a\nb\n")
    write(tmp_path, "t.label", b"1\n\xff\n")
    assert refused(tmp_path / "t", "review", "label").startswith("t.label:2: byte 0xff is not UTF-8")


def test_undecodable_byte_of_a_class_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "pos").mkdir()
    file = write(tmp_path, "pos/a.txt", b"\n\n\xe9")
    with pytest.raises(DataError, match="byte 0xe9") as caught:
        list(read_cells(tmp_path))
    assert caught.value.where == f"{file}:3"


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "a.xlsx", "?"))
    expected = "one of .csv, .json, .jsonl, .ndjson, .parquet, .tsv"
    assert message.startswith(f"a.xlsx: unknown format .xlsx\n  expected: {expected}")
    assert message.endswith("fix: save the sheet as CSV (UTF-8)")


def test_file_without_a_suffix_is_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path, "data", "?")).startswith("data: unknown format (no suffix)")


def test_absent_path_names_what_may_be_there(tmp_path: Path) -> None:
    message = refused(tmp_path / "t", "review", "label")
    assert message.startswith("t: no such file or folder\n")
    assert message.endswith("or the parallel files t.review + t.label")


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        list(read_raw_lines(tmp_path))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "text", ['[{"text": "a"}, {"text": "b"}]', '\n[\n {"text": "a"},\n {"text": "b"}\n]\n', "[]", "[\n]"]
)
def test_one_json_list_is_read(tmp_path: Path, name: str, text: str) -> None:
    file = write(tmp_path, name, text)
    assert cells(file) == json.loads(text)
    assert places(file) == [f"{name} row {i + 1}" for i in range(len(json.loads(text)))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"text": "a"},\n 3]', "a.json row 2: a JSON int\n  expected: a list of objects"),
        ('[{"text": "a"},\n {"text": }]', "a.json:2: not JSON: Expecting value\n  expected: one list of"),
        (
            "[1]\n[2]\n",
            "a.json:2: a list on each line\n  expected: one object per line, with the names of its columns",
        ),
        ('{\n "data": []\n}', "a.json:1: one JSON object over several lines\n"),
        ('{"a": 1}\n\ufeff{"a": 2}\n', "a.json:2: a byte-order mark (U+FEFF) inside the file: two files con"),
        ('{"a": 1}\n{"a": 2, "b": 3, "a": 2}\n', "a.json:2: key 'a' appears twice in one object\n"),
        ('[{"a": 1}, {"m": {"b": 2, "b": 3}}]', "a.json row 2: key 'b' appears twice in one object\n"),
    ],
)
def test_json_of_another_shape_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert refused(write(tmp_path, "a.json", text)).startswith(expected)


@pytest.mark.parametrize(
    ("table", "pandas"),
    [
        ({"orient": "columns"}, ""),
        ({"orient": "index"}, ", orient='index'"),
        ({"orient": "split"}, ", orient='split'"),
    ],
)
def test_table_as_one_object_is_told_from_a_row(tmp_path: Path, table: dict[str, Any], pandas: str) -> None:
    """As pandas writes one; the way that is named gives the rows back, with pandas itself."""
    import pandas as pd

    frame = pd.DataFrame(TWO)
    frame.to_json(tmp_path / "a.json", **table)
    way = f"read_json('a.json'{pandas}).to_json('rows.jsonl', orient='records', lines=True)"
    error = refused(tmp_path / "a.json")
    assert error.startswith("a.json:1: one object ")
    assert error.endswith(f"fix: with pandas: {way}")
    pd.read_json(tmp_path / "a.json", **table).to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    assert cells(tmp_path / "rows.jsonl") == TWO


def test_table_as_one_object_of_lists_or_below_a_key_is_told(tmp_path: Path) -> None:
    lists = {key: [row[key] for row in TWO] for key in ("text", "label")}
    assert "one object of lists, a table by columns" in refused(write(tmp_path, "a.json", json.dumps(lists)))
    below = json.dumps({"version": 1, "data": TWO})
    assert refused(write(tmp_path, "a.json", below)).endswith("fix: jq -c '.data[]' a.json > rows.jsonl")


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a", "label": "x"},
        {"text": "a", "label": ["x", "y"]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]},
        {"text": "a", "entities": [{"start": 0}, {"start": 1}]},
    ],
)
def test_only_row_of_a_file_is_a_row(tmp_path: Path, row: dict[str, Any]) -> None:
    assert cells(write(tmp_path, "a.jsonl", json.dumps(row) + "\n")) == [row]


def test_lists_in_place_of_objects_are_told(tmp_path: Path) -> None:
    error = refused(write(tmp_path, "a.jsonl", '["a", "x"]\n["b", "y"]\n'))
    assert error.startswith("a.jsonl:2: a list on each line\n  expected: one object per line")
