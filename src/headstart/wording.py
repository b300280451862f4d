"""Words of messages: counts, names cut after the first few, and what tells a warning from news."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Final

#: What stands where a text is cut.
CUT: Final = "..."


class Caution(str):
    """A sentence for a log that warns: it is shown where what else goes on is not."""

    __slots__ = ()


def format_count(count: int, thing: str, plural: str | None = None) -> str:
    """`1 seed`, `2,000 seeds`."""
    return f"{count:,} {thing if count == 1 else plural or f'{thing}s'}"


def capitalise(text: str) -> str:
    """As a sentence begins; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def format_names(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 2 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def join_names(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def join_ends(low: str, high: str) -> str:
    """A range: `1.2 to 1.6`, or `1.2` where both ends are written alike."""
    return low if low == high else f"{low} to {high}"


def cut_text(text: str, most: int = 200) -> str:
    """The text, cut after `most` characters."""
    return text if len(text) <= most else f"{text[:most]}{CUT}"


def shorten_repr(value: object, most: int = 200) -> str:
    """How Python writes a value, cut after `most` characters; no more of it is looked at."""
    writer = reprlib.Repr()
    writer.maxstring = writer.maxother = writer.maxlong = most
    writer.maxlist = writer.maxtuple = writer.maxdict = 50
    return cut_text(writer.repr(value), most)
