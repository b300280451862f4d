"""Which column holds texts, and which two are a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headstart.data.guess.columns import describe_columns
from headstart.data.guess.texts import TextGuess, guess_texts
from headstart.errors import DataError

LONG = "the film of {} was long and dull"


def guess(rows: list[dict[str, Any]], *labels: str) -> TextGuess:
    return guess_texts(describe_columns(rows), labels, Path("a.csv"))


def make_rows(*columns: str) -> list[dict[str, Any]]:
    return [{**{name: f"{name}: " + LONG.format(i) for name in columns}, "y": i % 2} for i in range(20)]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (("what",), ("what",)),
        (("title", "text"), ("text",)),
        (("premise", "hypothesis"), ("premise", "hypothesis")),
        (("text_a", "text_b", "source"), ("text_a", "text_b")),
    ],
)
def test_names_tell(columns: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert guess(make_rows(*columns), "y").columns == found


def test_second_text_is_offered_as_a_pair() -> None:
    found = guess(make_rows("title", "text"), "y")
    assert found.doubts == ("title holds texts too: as a pair, `text: [title, text]`",)


def test_longest_is_taken_where_no_name_tells() -> None:
    rows = [{"kind": "xy"[i % 2], "was": LONG.format(i), "wer": f"k{i}"} for i in range(20)]
    assert guess(rows, "kind").columns == ("was",)


def test_label_is_no_text() -> None:
    with pytest.raises(DataError, match="no text column besides 'text'"):
        guess([{"text": f"a {i}", "n": i} for i in range(9)], "text")
