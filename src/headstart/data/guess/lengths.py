"""Estimates how long texts are: words, and without any tokenizer a rough count of tokens."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from headstart.data.guess.columns import Column
from headstart.data.messages import parse_messages

#: What a word, and a byte of UTF-8, come to in tokens; from here on characters of East Asia, each a token.
_TOKENS_A_WORD: Final = 1.4
_BYTES_A_TOKEN: Final = 4
_EAST_ASIAN: Final = "\u2e80"
#: Tokens that models put around each text; marks of speakers take as many.
_MARKS: Final = 4
#: Of a hundred texts one is longer.
_LONG: Final = 0.99


@dataclass(frozen=True)
class Lengths:
    """Median words of a row's texts, and tokens of long ones."""

    median_words: float
    long_tokens: int


def measure_lengths(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], names: Iterable[str]
) -> Lengths:
    """How long the texts of `names`, read together, are."""
    chosen = [columns[name] for name in names]
    texts = [
        [text for column in chosen for text in _list_texts(row.get(column.name), column)] for row in rows
    ]
    tokens = sorted(sum(map(_estimate_tokens, row)) for row in texts)
    words = statistics.median(sum(len(text.split()) for text in row) for row in texts)
    return Lengths(words, tokens[min(int(_LONG * len(tokens)), len(tokens) - 1)])


def _list_texts(cell: Any, column: Column) -> list[str]:
    """A cell's text, or those of its messages."""
    if column.holds_messages:
        return [
            str(message.get("content") or message.get("value") or "")
            for message in parse_messages(cell) or ()
        ]
    return [cell] if isinstance(cell, str) else []


def _estimate_tokens(text: str) -> int:
    wide = sum(character >= _EAST_ASIAN for character in text)
    words, size = len(text.split()), len(text.encode("utf-8", "replace"))
    return round(max(_TOKENS_A_WORD * words, size / _BYTES_A_TOKEN, wide)) + _MARKS
