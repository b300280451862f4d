"""What items have by one metric, as columns: numbers, and which of them have something else."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from headstart.analysis.cells import is_number

#: Characters that are kept of a value that is no score, and different ones of a column: a message names one.
_KEPT: Final = 1000
_MOST_ODD: Final = 10_000
_MANY: Final = "a text like thousands of others in its column"


@dataclass(frozen=True)
class Parts:
    """The parts of a corpus metric in place of a score, as a message shows them."""

    shown: str


@dataclass(frozen=True, eq=False)
class ItemValues:
    """What N items have by one metric: `numbers` [N], NaN where there is none; `odd` of what is no number.

    `odd_codes` [N] are places in `odd`, -1 where the value is a number or absent.
    """

    numbers: np.ndarray
    odd_codes: np.ndarray
    odd: Sequence[object]

    def get(self, place: int) -> object:
        """The value of one item; None where there is none."""
        if self.odd_codes[place] >= 0:
            return self.odd[int(self.odd_codes[place])]
        number = float(self.numbers[place])
        return None if math.isnan(number) else number

    def select(self, index: np.ndarray) -> ItemValues:
        """The values of the items at `index`."""
        return replace(self, numbers=self.numbers[index], odd_codes=self.odd_codes[index])

    @property
    def is_score_like(self) -> bool:
        """Whether an item has a number, or the parts of a corpus metric, which are refused by name later."""
        if not np.isnan(self.numbers).all():
            return True
        return any(isinstance(self.odd[code], Parts) for code in np.unique(self.odd_codes) if code >= 0)


class ItemValuesBuilder:
    """The values of one metric by place; a value that comes later takes the place of one before."""

    def __init__(self) -> None:
        self._numbers, self._codes = array("d"), array("i")
        self._odd: list[object] = []
        self._known: dict[object, int] = {}

    def set(self, place: int, value: object) -> None:
        """The value of the item at `place`; those between the last one and it have none."""
        self._fill(place + 1)
        number = read_number(value)
        self._numbers[place] = math.nan if number is None else number
        self._codes[place] = -1 if number is not None else self._find_code(value)

    def _fill(self, count: int) -> None:
        missing = count - len(self._numbers)
        if missing == 1:
            self._numbers.append(math.nan)
            self._codes.append(-1)
        elif missing > 1:
            self._numbers.extend([math.nan] * missing)
            self._codes.extend([-1] * missing)

    def _find_code(self, value: object) -> int:
        kept = _shorten(value) if len(self._odd) <= _MOST_ODD else _MANY
        if kept not in self._known:
            self._known[kept] = len(self._odd)
            self._odd.append(kept)
        return self._known[kept]

    def build(self, count: int) -> ItemValues:
        """The values of so many items."""
        self._fill(count)
        return ItemValues(np.array(self._numbers, np.float64), np.array(self._codes, np.int32), self._odd)


def read_number(value: object) -> float | None:
    """A value as a number; NaN where a cell is empty or says so, None where it is something else."""
    if isinstance(value, float):
        return None if math.isinf(value) else value
    if isinstance(value, bool):
        return float(value)
    if value == "":
        return math.nan
    return float(str(value).strip()) if is_number(value) else None


def _shorten(value: Any) -> object:
    """What is kept of a value that is no number."""
    if isinstance(value, list | dict | tuple):
        return Parts(str(value)[:40])
    return value if isinstance(value, float) else str(value)[:_KEPT]
