"""Writes control characters of texts as escapes, so that no terminal obeys what a model or a file says."""

from __future__ import annotations

import unicodedata
from typing import Final

#: Bidirectional classes of characters that embed, override or isolate a direction.
_TURNS: Final = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))


def escape_controls(text: str) -> str:
    """The text with control characters, which a terminal obeys, written as `\\x1b`; line ends and tabs stay.

    So are those that turn the direction of writing, by which a text shows another than it holds.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        character if character in "\n\t" or not _is_control(character) else _escape(character)
        for character in plain
    )


def _is_control(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind == "Cc" or unicodedata.bidirectional(character) in _TURNS


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
