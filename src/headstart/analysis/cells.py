"""Parses cells of tables of others: seeds, sizes and scores as people and pandas write them, else a refusal.

A cell of CSV is text, one of JSON Lines or Parquet has a type. What is no plain number is refused with its
line: separators of thousands, decimal commas and percent signs mean different numbers to different readers.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from headstart.config.sizes import Size
from headstart.errors import DataError
from headstart.wording import shorten_repr

#: Whole numbers of 64 bits, also as pandas writes them in a column with gaps: `125.0`.
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SEPARATED: Final = re.compile(r"[+-]?[0-9]{1,3}([,_' \u00a0\u202f][0-9]{3})+(\.[0-9]*)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")


def parse_seed(value: object, where: str) -> int:
    """A seed: a whole number.

    Raises:
        DataError: it is none.
    """
    number = _parse_whole(value)
    if number is None:
        raise DataError(
            f"seed {shorten_repr(value)}", where=where, expected="a whole number", fix=_suggest_whole(value)
        )
    return number


def parse_size(value: object, where: str) -> Size:
    """A number of training examples, or `all`.

    Raises:
        DataError: it is neither, so that rows of different sizes cannot be told apart.
    """
    if str(value).strip() == "all":
        return "all"
    number = _parse_whole(value)
    if number is None or number < 1:
        raise DataError(
            f"size {shorten_repr(value)}",
            where=where,
            expected="a whole number of training examples above zero, or all",
            fix=_suggest_whole(value),
        )
    return number


def parse_score(value: object, where: str) -> float:
    """A score: a finite number.

    Raises:
        DataError: it is none.
    """
    text = str(value).strip()
    if isinstance(value, bool) or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise DataError(
            f"score {shorten_repr(value)}",
            where=where,
            expected="a finite number",
            fix=_suggest_number(value),
        )
    return float(text)


def is_number(value: object) -> bool:
    """Whether a cell is a finite number."""
    text = str(value).strip()
    is_plain = not isinstance(value, bool) and _NUMBER.fullmatch(text)
    return bool(is_plain) and math.isfinite(float(text))


def count_decimals(value: object) -> int:
    """How many decimals a score that can be parsed is written with; trailing zeros count."""
    if isinstance(value, float) and value.is_integer():  # nobody wrote the zero of 81.0
        return 0
    exponent = Decimal(str(value).strip()).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _parse_whole(value: object) -> int | None:
    text = str(value).strip()
    is_whole = not isinstance(value, bool) and _WHOLE.fullmatch(text)
    return int(text.split(".")[0]) if is_whole else None


def _suggest_whole(value: object) -> str | None:
    """How to write the whole number that was probably meant."""
    text = str(value).strip()
    if not _SEPARATED.fullmatch(text):
        return None
    plain = re.sub(r"[^0-9.+-]", "", text)
    return f"write it without separators: {plain}"


def _suggest_number(value: object) -> str | None:
    """How to write the score that was probably meant."""
    text = str(value).strip()
    if _DECIMAL_COMMA.fullmatch(text):
        return f"write it with a decimal point: {text.replace(',', '.')}"
    if text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip()):
        return f"write it without the sign: {text[:-1].strip()}"
    return _suggest_whole(value)
