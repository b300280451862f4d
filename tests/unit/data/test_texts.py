"""A row's text, or pair of texts, is read; what no tokenizer takes is refused."""

from __future__ import annotations

from itertools import chain

import pytest

from headstart.config.study import Data
from headstart.data import texts
from headstart.data.texts import list_text_columns, make_text_key, read_text
from headstart.errors import DataError


def test_columns_are_one_or_two() -> None:
    assert list_text_columns(Data(path="a", text="t")) == ("t",)
    assert list_text_columns(Data(path="a", text=("p", "q"))) == ("p", "q")


def test_text_and_pair() -> None:
    cells = {"p": "one", "q": "two"}
    assert read_text(cells, "q", "f:1") == "two"
    assert read_text(cells, ("q", "p"), "f:1") == ("two", "one")


def test_missing_column_names_what_the_user_sets() -> None:
    with pytest.raises(DataError) as caught:
        read_text({"body": "x"}, "text", "f:1", key="--text")
    assert (caught.value.got, caught.value.fix) == ("no column 'text'", "set --text")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "empty text in column 'text'"),
        (" \t\u00a0", "empty text in column 'text'"),
        (None, "no text (null or NaN) in column 'text'"),
        (float("nan"), "no text (null or NaN) in column 'text'"),
        (3, "3 in column 'text'"),
        ("cut \ud83d", "an unpaired surrogate in column 'text'"),
    ],
)
def test_cell_that_is_no_text_is_refused(value: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_text({"text": value}, "text", "f:7")
    assert (caught.value.got, caught.value.where) == (message, "f:7")


def test_second_half_of_a_pair_is_judged_too() -> None:
    with pytest.raises(DataError, match="empty text in column 'q'"):
        read_text({"p": "one", "q": ""}, ("p", "q"), "f:1")


def test_words_of_long_texts_are_those_of_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\x1f a\u2028b\x85 c\u3000\u200bd \x1c\n" * 3
    expected = (text.split(), make_text_key(text))
    monkeypatch.setattr(texts, "_BLOCK", 1)
    assert (list(texts.iterate_words(text)), make_text_key(text)) == expected


def test_words_of_a_long_text_are_made_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_BLOCK", 10)
    blocks = list(texts._split_blocks("one two " * 50 + "x" * 200 + " end"))
    assert max(map(len, blocks)) <= 4
    assert [*chain.from_iterable(blocks)] == ["one", "two"] * 50 + ["x" * 200, "end"]
