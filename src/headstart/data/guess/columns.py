"""Describes columns by their cells: texts, numbers, lists or messages; says which of them tell nothing."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from headstart.data.controls import escape_hidden
from headstart.data.folders import PART_NAMES
from headstart.data.guess.names import LABELS, PROMPTS, RESPONSES, TEXTS, looks_like_key
from headstart.data.labels.list_cells import parse_list
from headstart.data.labels.named_label import format_name
from headstart.data.messages import parse_messages

#: Cells of fewer rows than this may all differ, or rise, by chance.
_FEW_ROWS: Final = 20
#: A text has more words than this, or more characters where words are not parted by spaces.
_SHORT_WORDS, _SHORT_CHARACTERS = 2, 20
#: What a column of parts holds.
_PARTS: Final = frozenset({"eval", "evaluation", *itertools.chain.from_iterable(PART_NAMES.values())})
#: How 0 is written, and then 1.
_FLAGS: Final = ("0", "0.0", "false", "1", "1.0", "true")


@dataclass(frozen=True)
class Column:
    """A column of the rows that were looked at: its cells that hold something, and how many are empty."""

    name: str
    cells: tuple[Any, ...]
    empty: int

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value stands there, by its name as a class."""
        return Counter(map(format_name, self.cells))

    @cached_property
    def numbers(self) -> tuple[float, ...] | None:
        """The cells as numbers; None where some are none."""
        numbers = tuple(map(_parse_number, self.cells))
        return None if None in numbers or not numbers else numbers  # type: ignore[return-value]

    @cached_property
    def odd_number(self) -> str | None:
        """The first cell that is no number, where all are digits and signs: 1,5 or 30%; None elsewhere."""
        cells = [str(cell) for cell in self.cells]
        if not all(_has_digit(cell) and not any(map(str.isalpha, cell)) for cell in cells):
            return None
        return next((cell for cell in cells if _parse_number(cell) is None), None)

    @cached_property
    def divides_rows(self) -> bool:
        """Whether the cells say of which part each row is: train, test, and their kin."""
        values = {value.lower() for value in self.counts}
        return len(values) > 1 and "train" in values and values <= _PARTS and not self._has_label_name

    @property
    def _has_label_name(self) -> bool:
        return self.name.strip().lower() in LABELS

    @cached_property
    def lists(self) -> tuple[Sequence[Any], ...] | None:
        """The cells as lists, which CSV holds as text; None where some are none."""
        lists = tuple(map(_parse_list, self.cells))
        return None if None in lists or not lists else lists  # type: ignore[return-value]

    @cached_property
    def is_text(self) -> bool:
        """Whether the cells are texts, be they long or short."""
        return bool(self.cells) and all(isinstance(cell, str) for cell in self.cells) and not self.lists

    @cached_property
    def is_flag(self) -> bool:
        """Whether each cell is 0 or 1, true or false."""
        return all(map(is_flag, self.counts))

    @cached_property
    def holds_messages(self) -> bool:
        """Whether each cell is a list of messages: OpenAI's, ShareGPT's."""
        return bool(self.cells) and all(parse_messages(cell) is not None for cell in self.cells)

    @cached_property
    def median_words(self) -> float:
        """The median number of words."""
        return statistics.median(len(str(cell).split()) for cell in self.cells) if self.cells else 0.0

    @cached_property
    def is_long(self) -> bool:
        """Whether most cells are sentences rather than names."""
        characters = statistics.median(len(str(cell)) for cell in self.cells) if self.cells else 0
        return self.median_words > _SHORT_WORDS or characters > _SHORT_CHARACTERS

    @cached_property
    def share_different(self) -> float:
        """How many different values there are for each cell, 0 to 1."""
        return len(self.counts) / max(len(self.cells), 1)

    def say_why_useless(self) -> str | None:
        """What keeps the column from being a text or a label; None where nothing does."""
        if not self.cells:
            return "empty"
        if len(self.counts) == 1:
            return f"always {shorten(next(iter(self.counts)))}"
        if self.divides_rows:
            return "names each row's part"
        return "a row identifier" if self._tells_rows_apart() else None

    def _tells_rows_apart(self) -> bool:
        name = self.name.lower()
        if name in (*LABELS, *TEXTS, *PROMPTS, *RESPONSES) or len(self.counts) < len(self.cells):
            return False
        if looks_like_key(self.name):
            return True
        if len(self.cells) < _FEW_ROWS:
            return False
        if self.numbers:
            return is_whole(self.numbers) and list(self.numbers) == sorted(self.numbers)
        return self.is_text and all(len(cell.split()) == 1 and _has_digit(cell) for cell in self.cells)


def describe_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Each column by name, in the order in which they come; not each row need have each."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: _describe_column(name, [row.get(name) for row in rows]) for name in names}


def _describe_column(name: str, values: Sequence[Any]) -> Column:
    cells = tuple(value for value in values if not _is_empty(value))
    return Column(name, cells, len(values) - len(cells))


def shorten(text: str, most: int = 40) -> str:
    """A value as a message shows it: on one line, what is not seen as escapes, and not all of a long one."""
    escaped = escape_hidden(" ".join(text.split()))
    # What has no meaning, such as U+FFFF, no YAML may hold.
    line = " ".join("".join(c if c.isprintable() else " " for c in escaped).split())
    return line if len(line) <= most else f"{line[: most - 3].rstrip()}..."


def show_name(name: str) -> str:
    """A class's name among others with commas between."""
    short = shorten(name, 24)
    return repr(short) if "," in short else short


def _is_empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _parse_number(cell: Any) -> float | None:
    if (
        isinstance(cell, bool)
        or not isinstance(cell, int | float | str | Decimal)
        or (isinstance(cell, str) and "_" in cell)
    ):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):  # the latter of a whole number of 309 digits
        return None
    return number if math.isfinite(number) else None


def _parse_list(cell: Any) -> Sequence[Any] | None:
    """A list, or 0 and 1 by name as the names that have 1; a text may write one as JSON or as Python does."""
    if isinstance(cell, str):
        try:
            cell = parse_list(cell)
        except ValueError:
            return None
    if isinstance(cell, Mapping) and cell and all(is_flag(value) for value in cell.values()):
        return [str(name) for name, value in cell.items() if is_set(value)]
    return cell if isinstance(cell, list | tuple) else None


def is_flag(value: Any) -> bool:
    """Whether it is 0 or 1, true or false."""
    return str(value).lower() in _FLAGS


def is_set(value: Any) -> bool:
    """Whether a flag is 1, or true."""
    return str(value).lower() in _FLAGS[3:]


def is_whole(numbers: Sequence[float]) -> bool:
    """Whether all are whole numbers."""
    return all(number.is_integer() for number in numbers)


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
