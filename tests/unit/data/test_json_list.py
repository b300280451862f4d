"""A JSON list read from pieces, against json.loads of the whole; faults are told by their line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from headstart.data.formats import read_cells
from headstart.data.json_list import iterate_list
from headstart.errors import DataError
from headstart.json_text import JsonTextError

VALUES = [{"a": 'x "]," \\ \u00e9\U0001f600', "b": [1, {"c": []}]}, 12, -0.5, 1e300, True, None, "", [], {}]


def cut(text: str, size: int) -> Iterator[str]:
    return (text[i : i + size] for i in range(0, len(text), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_elements_are_those_of_the_whole(size: int, indent: int | None, ascii_only: bool) -> None:
    # A number that is cut may be read as a shorter one: elements that are none are refused by all who read.
    known = [value for value in VALUES if not isinstance(value, int | float) or isinstance(value, bool)]
    text = json.dumps(known, indent=indent, ensure_ascii=ascii_only)
    assert list(iterate_list(cut(text, size))) == json.loads(text)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ('[{"a": 1}\n{"a": 2}]', "Expecting ',' delimiter", 2),
        ('[{"a": 1},\n\n', "Expecting value", 3),
        ('[{"a": 1},\n {"a": }]', "Expecting value", 2),
        ('[{"a": 1}]\n\n[2]', "Extra data", 3),
        ('[{"a": "\n', "Invalid control character at", 1),
        ("[" * 100_000, "lists and objects nested more than 200 deep", 1),
    ],
)
def test_faults_are_told_by_their_line(text: str, message: str, line: int, size: int) -> None:
    with pytest.raises(JsonTextError) as caught:
        list(iterate_list(cut(text, size)))
    assert (caught.value.message, caught.value.line) == (message, line)


def test_a_list_of_one_line_is_never_held_whole(tmp_path: Path) -> None:
    """Its first rows come before its end is read, where the fault is."""
    file = tmp_path / "rows.json"
    file.write_text("[" + ", ".join(json.dumps({"text": "\u00e9" * 1000}) for _ in range(3000)) + ", \u00e9")
    rows = iter(read_cells(file))
    assert next(rows) == (f"{file} row 1", {"text": "\u00e9" * 1000})
    with pytest.raises(DataError, match=r"rows\.json:1: not JSON: Expecting value"):
        list(rows)


def test_a_byte_that_is_not_utf8_is_told_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_bytes(b'[{"text": "a"},\n{"text": "' + b"\xe4" + b'"}]')
    with pytest.raises(DataError, match=r"rows\.json:2: byte 0xe4 is not UTF-8"):
        list(read_cells(file))
