"""Lengths are those of all texts of a row, and a rough count of tokens errs on the long side."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.data.guess.columns import describe_columns
from headstart.data.guess.lengths import Lengths, measure_lengths


def measure(rows: list[dict[str, Any]], *names: str) -> Lengths:
    return measure_lengths(rows, describe_columns(rows), names)


def test_texts_of_a_pair_count_together() -> None:
    rows = [{"a": "one two three", "b": "four five"}] * 3
    assert measure(rows, "a", "b").median_words == 5
    assert measure(rows, "a", "b").long_tokens > measure(rows, "a").long_tokens


def test_messages_count_together() -> None:
    messages = [{"role": "user", "content": "one two"}, {"from": "gpt", "value": "three four five"}]
    assert measure([{"messages": messages}] * 2, "messages").median_words == 5


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("the cat sat on the mat and looked at the moon", 11, 22),
        ("Donaudampfschifffahrtsgesellschaft", 8, 16),
        ("这部电影非常好看", 8, 14),
        ("", 0, 4),
    ],
)
def test_tokens_of_a_text(text: str, least: int, most: int) -> None:
    assert least <= measure([{"a": text}], "a").long_tokens <= most


def test_one_text_in_a_hundred_is_longer() -> None:
    rows = [{"a": "word " * (i + 1)} for i in range(1000)]
    long = measure(rows, "a").long_tokens
    assert sum(measure([row], "a").long_tokens > long for row in rows[980:]) in (9, 10)
