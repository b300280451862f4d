"""JSON from anywhere: what Python's reader reads, and one error for what ends it otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.json_text import MOST_DEPTH, JsonTextError, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans())
def test_it_reads_what_python_reads(value: Any, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9" * 5000, "a whole number of 5,000 digits"),
        ("[" * 100_000 + "]" * 100_000, "more than 200 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "more than 200 deep"),
        ("[" * 100_000, "more than 200 deep"),
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "more than 200 deep"),
        (b"\xff\xfe\xff", "not UTF-8"),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
    ],
)
def test_what_is_wrong_is_one_error(text: str | bytes, said: str) -> None:
    with pytest.raises(JsonTextError, match=said):
        parse_json(text)


def test_brackets_in_strings_and_side_by_side_are_no_depth() -> None:
    value = {"a\\": "[" * 500, 'b"': ["{" * 500 + '\\"'], "c": [[] for _ in range(500)]}
    assert parse_json(json.dumps(value)) == value
    assert parse_json("[" * MOST_DEPTH + "]" * MOST_DEPTH)


def test_it_says_where() -> None:
    with pytest.raises(JsonTextError) as caught:
        parse_json('[1,\n2,\n"x]')
    assert caught.value.line == 3
