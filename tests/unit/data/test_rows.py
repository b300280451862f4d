"""Rows that cannot be read are one error that counts them, or are left out and counted on request."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.config.study import Data
from headstart.config.traits import TaskName
from headstart.data.labels.registry import get_label_type
from headstart.data.rows import ReadRows, read_rows
from headstart.errors import DataError

GOOD, BAD = {"text": "a", "label": "x"}, {"text": " ", "label": "x"}


def read(*cells: dict[str, Any], task: TaskName = "classification", **settings: Any) -> ReadRows:
    data = Data(path="x", **settings)
    placed = [(f"f:{i}", one) for i, one in enumerate(cells, start=1)]
    return read_rows(placed, data, get_label_type(task), None)


def test_the_first_invalid_row_is_named_with_how_many_there_are() -> None:
    with pytest.raises(DataError) as caught:
        read(GOOD, *[BAD] * 7, GOOD)
    assert caught.value.where == "f:2"
    assert caught.value.got == (
        "empty text in column 'text'; 7 of 9 rows cannot be read: f:2, f:3, f:4, f:5, f:6 and 2 more"
    )
    assert caught.value.fix == "remove the row; or data.skip_invalid: true skips such rows"


def test_a_single_one_is_named_as_it_is() -> None:
    with pytest.raises(DataError) as caught:
        read(GOOD, {"text": "a", "label": None})
    assert (caught.value.where, caught.value.got) == ("f:2", "no label (empty, null or NaN)")
    assert caught.value.fix == "fix the row; or data.skip_invalid: true skips such rows"


def test_invalid_rows_are_left_out_on_request_and_counted() -> None:
    got = read(BAD, GOOD, {"text": "b", "label": ["x", "y"]}, GOOD, skip_invalid=True)
    assert [(row.id, row.where) for row in got.rows] == [(1, "f:2"), (3, "f:4")]
    (warning,) = got.find_doubts()
    assert warning.kind == "skipped"
    assert warning.message == (
        "2 of 4 rows cannot be read and are skipped (data.skip_invalid): f:1, f:3; "
        "the first: empty text in column 'text'"
    )


@pytest.mark.parametrize("skip", [False, True])
def test_where_no_row_can_be_read_something_else_is_wrong(skip: bool) -> None:
    with pytest.raises(DataError) as caught:
        read({"review": "a"}, {"review": "b"}, skip_invalid=skip)
    assert caught.value.got == "no column 'text'"
    assert caught.value.fix == "set data.text"


def test_nothing_is_doubtful_of_rows_that_are_read_whole() -> None:
    assert list(read(GOOD, GOOD).find_doubts()) == []


def test_columns_that_belong_to_a_prompt_and_are_not_read_are_counted() -> None:
    rows = [{"instruction": "i", "input": text, "output": "o"} for text in ("x", "", "y")]
    unread = read(*rows, task="instruction", prompt="instruction", response="output")
    (warning,) = unread.find_doubts()
    assert warning.message == (
        "in 2 of 3 rows column 'input' is not read: data.prompt: [instruction, input] joins it"
    )
    joined = read(*rows, task="instruction", prompt=["instruction", "input"], response="output")
    assert list(joined.find_doubts()) == []
    assert [row.text[1] for row in joined.rows] == ["i\n\nx", "i", "i\n\ny"]
