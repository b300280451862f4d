"""Reads GPT-2's `encoder.json`, its tokens and their numbers, and turns such tokens back into text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from headstart.data.lines import require_file
from headstart.errors import DataError
from headstart.json_text import parse_json


def read_encoder(path: Path) -> dict[str, int]:
    """The number of each token.

    Raises:
        DataError: the file cannot be read, or is not such an object.
    """
    require_file(path)
    try:
        numbers = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), expected=_EXPECTED) from error
    if not isinstance(numbers, dict) or not all(type(n) is int for n in numbers.values()):
        raise DataError("not an object of numbers", where=str(path), expected=_EXPECTED)
    return numbers


_EXPECTED = "GPT-2's encoder.json: an object from token to number"


def join_bytes(tokens: Iterable[str]) -> str:
    """The text of byte-level tokens; bytes that are no UTF-8 become the replacement character."""
    letters = map_letters()
    return bytes(letters[char] for token in tokens for char in token if char in letters).decode(
        "utf-8", errors="replace"
    )


@cache
def map_letters() -> dict[str, int]:
    """The byte behind each of the 256 letters that GPT-2 writes bytes with."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in set(shown)]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}
