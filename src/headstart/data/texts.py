"""Reads the text, or pair of texts, of one row, and compares texts; refuses what no tokenizer takes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from headstart.config.study import Data
from headstart.data.corpus import Text
from headstart.data.formats import get_cell
from headstart.errors import DataError

#: Characters of a cell that an error shows.
_MOST_SHOWN: Final = 80
#: Characters of a text that are split at once, and more up to the next space.
_BLOCK: Final = 1_000_000
_SPACE: Final = re.compile(r"\s")


def shorten(value: object) -> str:
    """How Python writes a cell, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def list_text_columns(data: Data) -> tuple[str, ...]:
    """The one or two columns of text."""
    return (data.text,) if isinstance(data.text, str) else data.text


def read_text(
    cells: Mapping[str, Any], column: str | tuple[str, str], where: str, key: str = "data.text"
) -> Text:
    """The text, or pair of texts, of one row; `key` is what the user sets to name another column.

    Raises:
        DataError: a column is absent, or a cell holds no text.
    """
    if isinstance(column, str):
        return _check_text(get_cell(cells, column, where, key), column, where)
    first, second = (_check_text(get_cell(cells, name, where, key), name, where) for name in column)
    return first, second


def make_text_key(text: Text) -> str:
    """The text for comparison with others, whatever its spaces."""
    # Each text of a pair by itself: split() takes the separator for a space too.
    texts = (text,) if isinstance(text, str) else text
    return "\x1f".join(map(_join_words, texts))


def _join_words(text: str) -> str:
    """The words of a text with one space between."""
    # A block after the other: millions of words at once take many times the memory of their text.
    return " ".join(" ".join(words) for words in _split_blocks(text) if words)


def iterate_words(text: str) -> Iterator[str]:
    """As `str.split`, and of a long text some of the words at a time."""
    return chain.from_iterable(_split_blocks(text))


def _split_blocks(text: str) -> Iterator[list[str]]:
    """The words of about so many characters at a time."""
    start = 0
    while space := _SPACE.search(text, start + _BLOCK):
        yield text[start : space.start()].split()
        start = space.start()
    yield text[start:].split()


def _check_text(value: Any, column: str, where: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise DataError(f"no text (null or NaN) in column {column!r}", where=where, expected="a text")
    if not isinstance(value, str):
        raise DataError(f"{shorten(value)} in column {column!r}", where=where, expected="a text")
    if not value.strip():
        raise DataError(
            f"empty text in column {column!r}", where=where, expected="a text", fix="remove the row"
        )
    check_encodable(value, f"column {column!r}", where)
    return value


def check_encodable(text: str, place: str, where: str) -> None:
    """Refuse half a character, of an emoji cut in two: JSON can spell it; no tokenizer and no hash takes it.

    Raises:
        DataError: there is one in the text, at `place` of the row.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"an unpaired surrogate in {place}", where=where, expected="whole characters"
        ) from error
