"""Writes any text so that Markdown shows it and reads nothing in it: in a line, a cell, or as code."""

from __future__ import annotations

import re
from typing import Final

from headstart.data.controls import escape_hidden
from headstart.wording import cut_text

#: What begins a mark of CommonMark or GitHub's Markdown, of mathematics, or the name of somebody.
_MARKS: Final = re.compile(r"[\\`*_\[\]|~$#@{}]|:(?=/)|(?<=www)\.", re.IGNORECASE)
#: In a cell of figures: what ends the cell, or begins code, emphasis, a link or an image.
_CELL_MARKS: Final = re.compile(r"[\\`*|]|(?<=\])[(\[]|!(?=\[)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|~(?=~)")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape_markdown(text: str) -> str:
    """The text on one line, with nothing in it that Markdown, a browser or a mention would read."""
    return _MARKS.sub(r"\\\g<0>", _write_entities(_join_lines(text)))


def escape_markdown_cell(text: str) -> str:
    """The same for a cell of a table, with as few marks as keep it one cell: figures stay as they are."""
    return _CELL_MARKS.sub(r"\\\g<0>", _join_lines(text)).replace("<", "&lt;")


def format_code(text: str, most: int = 200) -> str:
    """The text as a code span, which no backtick in it ends; line ends and tabs as escapes; cut if long."""
    plain = cut_text(escape_hidden(text).replace("\n", "\\n").replace("\t", "\\t"), most)
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    # A space beside each fence is not shown, and parts it from a backtick; of spaces alone none is taken.
    pad = " " if len(fence) > 1 or (plain[:1] == plain[-1:] == " " and plain.strip()) else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else "(empty)"


def _join_lines(text: str) -> str:
    return " ".join(escape_hidden(text).split())


def _write_entities(text: str) -> str:
    return "".join(_ENTITIES.get(character, character) for character in text)
