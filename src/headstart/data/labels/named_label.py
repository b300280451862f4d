"""Labels with names: classes and sets of labels share how names are written, collected and ordered."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import PARTS, CellType, Part, Row
from headstart.data.labels.alike import name_alike, show_alike
from headstart.data.labels.base import LabelKey, LabelType
from headstart.data.row_table import list_distinct
from headstart.data.texts import check_encodable
from headstart.errors import DataError

#: Of the known names, how many an error lists.
_NAMES_SHOWN = 20
#: Below this, 64 bits hold a whole number, and a float has every one.
_LARGEST = 2**53


class NamedLabel(LabelType):
    """Labels that are one or several of C names."""

    @abstractmethod
    def list_names(self, row: Row, data: Data) -> list[str]:
        """The names of one row's labels.

        Raises:
            DataError: it has none where it must, or one that is not of this kind.
        """

    def collect_names(self, rows: Mapping[Part, Sequence[Row]], data: Data) -> tuple[str, ...]:
        """Those of the training rows; a name met elsewhere only is an error."""
        known = set[str]()
        for row in list_distinct(rows["train"]):
            new = set(self.list_names(row, data)) - known
            for name in new:
                check_encodable(name, "the label", row.where)
            known |= new
        for part in ("valid", "test"):
            for row in list_distinct(rows[part]):
                for name in self.list_names(row, data):
                    if name not in known:
                        raise _refuse_unknown(name, known, row.where)
        # Names that the study gives have an order.
        return self.get_given_names(data) or tuple(sorted(known, key=order_naturally))

    def get_given_names(self, data: Data) -> tuple[str, ...] | None:
        """The names that the study gives, in its order; None where the data has them."""
        return None

    def identify_cells(self, rows: Sequence[Row]) -> CellType:
        """Numbers or truth values where all cells, or all in their lists, are such."""
        cells = (row.label if isinstance(row.label, list) else [row.label] for row in list_distinct(rows))
        kinds = {_identify_cell(value) for values in cells for value in values}
        if kinds == {"int", "float"}:
            return "float"
        return kinds.pop() if len(kinds) == 1 else "text"

    def make_key(self, row: Row, data: Data) -> LabelKey:
        """The names, in whatever order they stand there."""
        return tuple(sorted(set(self.list_names(row, data))))


def _refuse_unknown(name: str, known: set[str], where: str) -> DataError:
    alike = name_alike(name, known)
    shown = show_alike([name] if alike is None else [name, alike])
    return DataError(
        f"label {shown[0]} is in no training example",
        where=where,
        expected=f"one of {', '.join(sorted(known)[:_NAMES_SHOWN])}",
        fix=None if alike is None else f"write it as in training: {shown[1]}",
    )


def _identify_cell(value: object) -> CellType:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float) and value == value and abs(value) < _LARGEST:
        # Indices that pandas wrote with gaps come back as 0.0 and 1.0, and are equal to 0 and 1.
        return "int" if int(value) == value else "float"
    return "text"


def order_naturally(name: str) -> tuple[int, float, str]:
    """A key to sort by: numbers by value, before words by letter: '2' stands before '10'."""
    try:
        value = float(name)
    except ValueError:
        value = math.nan
    # A class called "nan" is a word: as a number it would stand anywhere, since nan is not below anything.
    return (1, 0.0, name) if math.isnan(value) else (0, value, name)


def is_nothing(value: object) -> bool:
    """Whether a cell is empty, null or NaN."""
    return value is None or value != value or not str(value).strip()


def format_name(value: object) -> str:
    """A cell as a class's name."""
    # A column of class indices that pandas once wrote with gaps comes back as 0.0, 1.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def count_by_name(counts: Mapping[Part, np.ndarray], names: Sequence[str]) -> dict[str, dict[Part, int]]:
    """Counts [C] of each part, by name and part."""
    return {name: {part: int(counts[part][i]) for part in PARTS} for i, name in enumerate(names)}
