"""Writes control characters of texts as escapes, so that no terminal obeys what a model or a file says."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Bidirectional classes of characters that embed, override or isolate a direction.
_TURNS: Final = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
#: Characters that are not seen: controls, formats, halves of characters, ends of lines and paragraphs.
_HIDDEN_KINDS: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
#: Signs of Arabic, Syriac and Kaithi that Unicode counts among formats, and that are seen.
_SEEN: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
#: Letters and marks that show nothing.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
#: Joiners, which many scripts and emoji are written with.
_JOINERS: Final = frozenset("\u200c\u200d")
#: What printable ASCII, line ends and tabs leave to look at.
_OTHER: Final = re.compile(r"[^\n\t\x20-\x7e]")


def escape_controls(text: str) -> str:
    """The text with control characters, which a terminal obeys, written as `\\x1b`; line ends and tabs stay.

    So are those that turn the direction of writing, by which a text shows another than it holds. Texts that
    people work on are written so: see `escape_hidden` for what is only shown.
    """
    return _OTHER.sub(lambda found: _escape_if(found[0], _is_control(found[0])), _unify_line_ends(text))


def escape_hidden(text: str, *, is_part: bool = False) -> str:
    """The text as a terminal may show it: `escape_controls`, and whatever else is in it without being seen.

    These are zero-width characters, marks of direction, Unicode's tags, line and paragraph separators, and
    halves of characters. A joiner between two letters or signs that are not ASCII is part of how these are
    written, and stays.

    Args:
        is_part: more text may stand before and after: a joiner at an end stays too.
    """
    plain = _unify_line_ends(text)
    return _OTHER.sub(
        lambda found: _escape_if(found[0], is_hidden(found[0]) and not _joins(plain, found.start(), is_part)),
        plain,
    )


def escape_hidden_json(text: str) -> str:
    """JSON that holds the same values, with what a terminal would obey or hide as JSON's own escapes."""
    return _OTHER.sub(lambda found: _escape_json(found[0]) if is_hidden(found[0]) else found[0], text)


def is_hidden(character: str) -> bool:
    """Whether a terminal obeys the character, or shows nothing for it; white space is none of these."""
    kind = unicodedata.category(character)
    return (kind in _HIDDEN_KINDS and character not in _SEEN) or character in _BLANK


def _unify_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_control(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs") or unicodedata.bidirectional(character) in _TURNS


def _joins(text: str, place: int, is_part: bool) -> bool:
    """Whether a joiner is there, between two characters that may need it."""
    if text[place] not in _JOINERS:
        return False
    neighbours = (text[place - 1 : place], text[place + 1 : place + 2])
    return all(is_part if not one else not one.isascii() for one in neighbours)


def _escape_if(character: str, is_escaped: bool) -> str:
    return character.encode("unicode_escape").decode("ascii") if is_escaped else character


def _escape_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
