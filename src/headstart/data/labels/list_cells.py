"""Reads a cell of text that holds a list: JSON's, Python's, or as numpy prints one; guesses nothing else."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from itertools import pairwise
from typing import Any, Final

from headstart.json_text import parse_json

_CLOSING: Final = {"[": "]", "(": ")", "{": "}"}
#: A list in what Python prints of other types, such as `array([1, 0])`.
_CALL: Final = re.compile(r"[A-Za-z_.]+\(\s*[\[({].*\)", re.DOTALL)
_VALUES: Final = (tokenize.STRING, tokenize.NUMBER, tokenize.NAME)


def parse_list(cell: str) -> list[Any] | dict[str, Any] | None:
    """The list, or 0 and 1 by name, that a cell holds; None where it holds something else.

    Tuples and sets are lists too. Round brackets without a comma in them are a text's own.

    Raises:
        ValueError: it looks like a list, and is none that can be read.
    """
    text = cell.strip()
    if _CALL.fullmatch(text):
        raise ValueError(text)
    if _CLOSING.get(text[:1]) != text[-1:]:
        return None
    value = _parse_literal(text)
    if isinstance(value, set):
        return sorted(value, key=str)
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return value or []
    if text[0] == "(":
        return None
    raise ValueError(text)


def _parse_literal(text: str) -> Any:
    """What JSON or Python reads; None where neither does."""
    try:
        return parse_json(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(_add_commas(text))
    except (ValueError, SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError):
        return None


def _add_commas(text: str) -> str:
    """Commas between values that have none, as numpy prints them; Python would join two texts into one."""
    line = text.replace("\n", " ").replace("\r", " ")
    tokens = list(tokenize.generate_tokens(io.StringIO(line).readline))
    ends = [left.end[1] for left, right in pairwise(tokens) if left.type in _VALUES and right.type in _VALUES]
    for end in reversed(ends):
        line = f"{line[:end]},{line[end:]}"
    return line
