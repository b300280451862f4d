"""Reads one JSON list from pieces of text, an element at a time; what the elements are is nothing to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from headstart.json_text import JsonTextError, PairsHook, check_depth, parse_digits, refuse_depth

_SPACE: Final = " \t\r\n"
#: A fault so near to the end of what was read may be that more is to come: an escape or a literal is cut.
_NEAR_END: Final = 16


def iterate_list(pieces: Iterator[str], pairs_hook: PairsHook | None = None) -> Iterator[Any]:
    """The elements of the list that the pieces make up, one after the other.

    Raises:
        JsonTextError: it is no list, or one of its elements is no JSON; `line` is counted from the first
            piece's beginning. Elements before it have been given by then.
    """
    reader = _Reader(pieces, pairs_hook)
    reader.take("[", "Expecting value")
    if reader.look() == "]":
        reader.take("]", "")
    else:
        yield reader.read_value()
        while reader.look() == ",":
            reader.take(",", "")
            yield reader.read_value()
        reader.take("]", "Expecting ',' delimiter")
    if reader.look():
        raise reader.fail("Extra data")


class _Reader:
    """A place in a text that comes in pieces; what lies before it is forgotten."""

    def __init__(self, pieces: Iterator[str], pairs_hook: PairsHook | None) -> None:
        self._pieces = pieces
        self._buffer, self._at, self._line = "", 0, 1
        self._decoder = json.JSONDecoder(object_pairs_hook=pairs_hook, parse_int=parse_digits)

    def look(self) -> str:
        """The next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._read_more(1):
                return ""

    def take(self, character: str, message: str) -> None:
        """Pass over the next character, which is to be this one."""
        if self.look() != character:
            raise self.fail(message)
        self._at += 1

    def read_value(self) -> Any:
        """The value that comes next."""
        self.look()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                fault = self.fail(error.msg, error.pos)
                if not (self._may_be_cut(error) and self._read_more(len(self._buffer) - self._at)):
                    raise fault from error
            except RecursionError as error:
                raise refuse_depth() from error
            else:
                check_depth(self._buffer[self._at : end])
                self._at = end
                return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated") or error.pos >= len(self._buffer) - _NEAR_END

    def _read_more(self, least: int) -> bool:
        """Read so many characters, so that a long element is not begun anew with each piece."""
        self._line += self._buffer.count("\n", 0, self._at)
        parts, count = [self._buffer[self._at :]], 0
        for piece in self._pieces:
            parts.append(piece)
            count += len(piece)
            if count >= least:
                break
        self._buffer, self._at = "".join(parts), 0
        return count > 0

    def fail(self, message: str, position: int | None = None) -> JsonTextError:
        """What is wrong, here or at a position of what was read."""
        position = self._at if position is None else position
        return JsonTextError(message, self._line + self._buffer.count("\n", 0, position), position)
