"""Writes lines of YAML with comments in one column; any text comes back as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: Where comments begin, unless the value is longer.
_COMMENTS_AT: Final = 30
_MARKS: Final = frozenset(":#{}[],&*?|<>=!%@`\"'\\")
#: Quoted it would be as right, and look like no name of one.
_ASSET: Final = re.compile(r"asset:[A-Za-z0-9][A-Za-z0-9_.-]*")
_RESERVED: Final = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def format_line(key: str, value: str, comment: str = "", *, indent: int = 0) -> str:
    """`key: value  # comment`; the value is YAML already."""
    line = f"{' ' * indent}{key}: {value}".rstrip()
    return f"{line.ljust(_COMMENTS_AT)}  # {comment}" if comment else line


def quote(text: str) -> str:
    """A YAML scalar that is read back as this very text."""
    is_plain = text.isprintable() and text[:1].isalpha() and not set(text) & _MARKS
    is_word = is_plain and text.lower() not in _RESERVED and text == text.strip()
    if is_word or _ASSET.fullmatch(text):
        return text
    if not text.isprintable():
        return _escape(text)
    return "'" + text.replace("'", "''") + "'"


def quote_all(texts: Sequence[str]) -> str:
    """A YAML list of texts."""
    return f"[{', '.join(map(quote, texts))}]"


def _escape(text: str) -> str:
    """A scalar in double quotation marks, with what does not print as escapes."""
    return f'"{"".join(map(_escape_character, text))}"'


def _escape_character(character: str) -> str:
    short = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n"}
    if character in short:
        return short[character]
    return character if character.isprintable() else f"\\U{ord(character):08x}"
