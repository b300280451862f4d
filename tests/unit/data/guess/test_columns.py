"""What a column's cells look like, and which columns tell nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headstart.data.guess.columns import Column, describe_columns, shorten, show_name


def describe(*cells: Any, name: str = "it") -> Column:
    return describe_columns([{name: cell} for cell in cells])[name]


def test_columns_of_rows_that_differ_are_all_there() -> None:
    columns = describe_columns([{"a": 1}, {"a": None, "b": "x"}, {"b": " "}])
    assert {name: (column.cells, column.empty) for name, column in columns.items()} == {
        "a": ((1,), 2),
        "b": (("x",), 2),
    }


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ((1, 2.5), (1.0, 2.5)),
        (("1", "-2e3", " 4 "), (1.0, -2000.0, 4.0)),
        (("1", "x"), None),
        ((True, False), None),
        (("1_000", "2"), None),
        (("nan", "1"), None),
        (("inf",), None),
        (("",), None),
    ],
)
def test_numbers(cells: tuple[Any, ...], numbers: tuple[float, ...] | None) -> None:
    assert describe(*cells).numbers == numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (["a", "b"], ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ('["a"]', ["a"]),
        ("[1, 0]", [1, 0]),
        ("[]", []),
        ("[sic] a text", None),
        ("[a, b]", None),
        ("[" * 5000 + "]" * 5000, None),
    ],
)
def test_lists(cell: Any, value: list[Any] | None) -> None:
    assert describe(cell).lists == (None if value is None else (value,))


@pytest.mark.parametrize(
    ("cell", "holds"),
    [
        ([{"role": "user", "content": "hi"}], True),
        ([{"from": "human", "value": "hi"}], True),
        ('[{"role": "user", "content": "hi"}]', True),
        ([{"name": "x"}], False),
        (["hi"], False),
        ([], False),
        ("hi", False),
    ],
)
def test_messages(cell: Any, holds: bool) -> None:
    assert describe(cell).holds_messages is holds


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("id", range(5), "a row identifier"),
        ("user_id", ["a", "b", "a"], None),
        ("", range(3), "a row identifier"),
        ("Unnamed: 0", range(3), "a row identifier"),
        ("n", range(40), "a row identifier"),
        ("n", [*range(39), 5], None),
        ("n", [i / 3 for i in range(40)], None),
        ("score", range(40), None),
        ("code", [f"x-{i}" for i in range(40)], "a row identifier"),
        ("words", [f"a word {i}" for i in range(40)], None),
        ("lang", ["en"] * 9, "always en"),
        ("gap", [None, ""], "empty"),
    ],
)
def test_columns_that_tell_nothing(name: str, cells: Any, why: str | None) -> None:
    assert describe(*cells, name=name).say_why_useless() == why


def test_values_are_shown_on_one_line() -> None:
    assert shorten("a\n\x07b " + "c" * 50) == r"a \x07b " + "c" * 29 + "..."
    assert show_name("Sports, Outdoors") == "'Sports, Outdoors'"


def test_decimals_are_numbers() -> None:
    columns = describe_columns([{"a": Decimal("0.25")}, {"a": Decimal("1.50")}])
    assert columns["a"].numbers == (0.25, 1.5)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("a\n b\tc", "a b c"),
        ("\u202eab", r"\u202eab"),
        ("a\uffffb", "a b"),
    ],
)
def test_what_is_not_seen_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert shorten(text) == shown
