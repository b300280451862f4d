"""What a terminal would obey, or hide, is shown; other characters stay."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.controls import escape_controls, escape_hidden, escape_hidden_json, is_hidden


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m\x07", r"\x1b[31mred\x1b[0m\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202edef", r"abc\u202edef"),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("caf\u00e9 \U0001f600 \u6f22\u5b57", "caf\u00e9 \U0001f600 \u6f22\u5b57"),
    ],
)
def test_controls_are_escaped(text: str, shown: str) -> None:
    assert escape_controls(text) == escape_hidden(text) == shown


HIDDEN = (
    "\x00\x07\x1b\x7f\x85\x9b\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\ufeff"
)
FURTHER = "\ud800\udfff\U000e0001\U000e0041\u034f\u3164\uffa0"


@pytest.mark.parametrize("character", HIDDEN + FURTHER)
def test_what_is_not_seen_is_escaped(character: str) -> None:
    assert escape_hidden(f"a{character}b") == "a" + character.encode("unicode_escape").decode() + "b"


@pytest.mark.parametrize(
    "text", ["\u0645\u06cc\u200c\u062e", "\U0001f468\u200d\U0001f469", "\u0915\u094d\u200d\u0937"]
)
def test_joiners_stay_where_scripts_and_emoji_need_them(text: str) -> None:
    assert escape_hidden(text) == text


@pytest.mark.parametrize("text", ["admin\u200d", "ad\u200cmin", "\u200dadmin"])
def test_joiners_are_shown_where_nothing_needs_them(text: str) -> None:
    assert "\\u200" in escape_hidden(text)


def test_a_piece_of_an_answer_may_begin_with_a_joiner() -> None:
    assert escape_hidden("\u200c\u062e", is_part=True) == "\u200c\u062e"


@given(st.text(st.characters(codec=None)))
def test_nothing_hidden_is_left_and_json_keeps_its_values(text: str) -> None:
    joiners = "\u200c\u200d"
    assert not any(is_hidden(one) for one in escape_hidden(text) if one not in f"\n\t{joiners}")
    shown = escape_hidden_json(json.dumps([text], ensure_ascii=False))
    assert not any(is_hidden(one) for one in shown)
    # Halves of a character that stand side by side are one in JSON.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(shown) == [whole]
