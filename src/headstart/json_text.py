"""Reads JSON that may come from anywhere: bounded in depth and digits, one error for all that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

#: Lists and objects in one another; Python's own reader ends at some thousand, where it has no words for it.
MOST_DEPTH: Final = 200
#: Digits of a whole number: more than any 64-bit one, or the largest number of 64-bit arithmetic, has.
_MOST_DIGITS: Final = 400
#: Characters of a key in a message.
_MOST_SHOWN: Final = 200

PairsHook = Callable[[list[tuple[str, Any]]], Any]
ConstantHook = Callable[[str], float]


class JsonTextError(ValueError):
    """A text that is no JSON, too deep or with too many digits; `position` in characters, `line` from 1."""

    def __init__(self, message: str, line: int = 1, position: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.position = message, line, position


def parse_json(
    text: str | bytes, pairs_hook: PairsHook | None = None, *, constant: ConstantHook | None = None
) -> Any:
    """What the text holds; bytes are UTF-8, UTF-16 or UTF-32.

    NaN and Infinity, which Python and others write, are read; who needs a finite number asks for it.

    Args:
        pairs_hook: makes an object of its keys and values.
        constant: what to make of NaN, Infinity and -Infinity, which are no JSON.

    Raises:
        JsonTextError: it is no JSON, lists and objects lie too deep, or a number has too many digits.
    """
    check_depth(text)
    try:
        return json.loads(text, object_pairs_hook=pairs_hook, parse_int=parse_digits, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise JsonTextError(error.msg, error.lineno, error.pos) from error
    except UnicodeDecodeError as error:
        raise JsonTextError("bytes that are not UTF-8") from error
    except RecursionError as error:
        raise refuse_depth() from error


def join_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; a `pairs_hook` that refuses a key that stands there twice."""
    joined = dict(pairs)
    if len(joined) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in joined if names.count(name) > 1)
        raise JsonTextError(f"the key {twice[:_MOST_SHOWN]!r} appears twice in one object")
    return joined


def check_depth(text: str | bytes) -> None:
    """Refuse a text whose lists and objects lie too deep.

    Raises:
        JsonTextError: they do.
    """
    # Counting is quick, and in nearly all texts tells enough.
    if isinstance(text, str):
        if text.count("[") + text.count("{") > MOST_DEPTH:
            _walk_depth(text)
    elif text.count(b"[") + text.count(b"{") > MOST_DEPTH:
        _walk_depth(text.decode("utf-8", "replace"))


def _walk_depth(text: str) -> None:
    depth, inside = 0, False
    for piece in _split_strings(text):
        inside = not inside
        if inside:
            for character in piece:
                depth += (character in "[{") - (character in "]}")
                if depth > MOST_DEPTH:
                    raise refuse_depth()


def _split_strings(text: str) -> list[str]:
    """What stands outside of quotation marks and inside of them, by turns."""
    return text.replace("\\\\", "").replace('\\"', "").split('"')


def refuse_depth() -> JsonTextError:
    """What to say of lists and objects that lie too deep."""
    return JsonTextError(f"lists and objects nested more than {MOST_DEPTH} deep")


def parse_digits(digits: str) -> int:
    """A whole number.

    Raises:
        JsonTextError: it has too many digits.
    """
    if len(digits) > _MOST_DIGITS:
        raise JsonTextError(f"a whole number of {len(digits):,} digits, at most {_MOST_DIGITS} expected")
    return int(digits)


def refuse_constant(name: str) -> float:
    """Whatever is not a JSON number is none here."""
    raise JsonTextError(f"{name} is not a JSON number")
