"""The columns of predictions, one class for each kind of label: a class, a set of labels, a number.

Shapes: n examples, C classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa

from headstart.config.traits import LabelKind
from headstart.data.corpus import CellType

#: A probability above this means that a label is predicted.
THRESHOLD: Final = 0.5
_CELLS: Final[dict[CellType, pa.DataType]] = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}


class LabelColumns(ABC):
    """Columns `label` and `predicted`, and for each of the names a probability `p_<name>`.

    Labels have shape [n] or [n, C], outputs [n, C], or [n, 1] of numbers. A file that was never labelled gets
    the columns without `label`. Names are of the type that `cells` says: what was the number 1 in the data
    is no text.
    """

    def __init__(self, names: Sequence[str] = (), cells: CellType = "text") -> None:
        self._names = tuple(names)
        self._cell_type = _CELLS[cells]
        self._values = [_parse_name(name, cells) for name in names]

    @property
    @abstractmethod
    def type(self) -> pa.DataType:
        """The type of `label` and `predicted`."""

    @property
    def fields(self) -> list[pa.Field]:
        """The names and types of all columns."""
        return [pa.field("label", self.type), *self.prediction_fields]

    @property
    def prediction_fields(self) -> list[pa.Field]:
        """The names and types of the columns without `label`."""
        probabilities = [pa.field(f"p_{name}", pa.float64()) for name in self._names]
        return [pa.field("predicted", self.type), *probabilities]

    def build(self, labels: np.ndarray, outputs: np.ndarray) -> dict[str, pa.Array]:
        """n examples as all columns."""
        return {"label": self.format_labels(labels), **self.build_predictions(outputs)}

    def build_predictions(self, outputs: np.ndarray) -> dict[str, pa.Array]:
        """n examples as the columns without `label`."""
        probabilities = {
            f"p_{name}": pa.array(outputs[:, i].astype(np.float64)) for i, name in enumerate(self._names)
        }
        return {"predicted": self.format_labels(self.predict(outputs)), **probabilities}

    def list_predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """n examples as rows of the columns without `label`."""
        return cast(list[dict[str, Any]], pa.table(self.build_predictions(outputs)).to_pylist())

    @abstractmethod
    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """The labels that the outputs mean."""

    @abstractmethod
    def format_labels(self, labels: np.ndarray) -> pa.Array:
        """Labels as people read them."""


class ClassColumns(LabelColumns):
    """One class an example: labels are class numbers [n], outputs probabilities [n, C]."""

    @property
    def type(self) -> pa.DataType:
        """That of a name."""
        return self._cell_type

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """The likeliest class, the first of several."""
        return np.asarray(outputs.argmax(-1))

    def format_labels(self, labels: np.ndarray) -> pa.Array:
        """The names of the classes."""
        return pa.array([self._values[i] for i in labels], self.type)


class LabelSetColumns(LabelColumns):
    """Any number of labels an example: labels are 0 or 1 [n, C], outputs probabilities [n, C]."""

    @property
    def type(self) -> pa.DataType:
        """A list of names."""
        return pa.list_(self._cell_type)

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """The labels above the threshold."""
        return outputs > THRESHOLD

    def format_labels(self, labels: np.ndarray) -> pa.Array:
        """The names of those that are there."""
        names = [[name for name, mark in zip(self._values, row, strict=True) if mark] for row in labels > 0]
        return pa.array(names, self.type)


class NumberColumns(LabelColumns):
    """One number an example: labels are numbers [n], outputs numbers [n, 1]."""

    @property
    def type(self) -> pa.DataType:
        """In 64 bits."""
        return pa.float64()

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """The number itself."""
        return outputs[:, 0]

    def format_labels(self, labels: np.ndarray) -> pa.Array:
        """The numbers themselves."""
        return pa.array(labels.astype(np.float64))


_COLUMNS: Final[dict[LabelKind, type[LabelColumns]]] = {
    "class": ClassColumns,
    "label-set": LabelSetColumns,
    "number": NumberColumns,
}


def make_columns(kind: LabelKind, names: Sequence[str] = (), cells: CellType = "text") -> LabelColumns:
    """The columns for labels of this kind, with these names; conversations have none of these.

    Args:
        cells: what the names were in the data.
    """
    return _COLUMNS[kind](names, cells)


def _parse_name(name: str, cells: CellType) -> Any:
    """A name as the data had it."""
    parsers: dict[CellType, Callable[[str], Any]] = {"int": int, "float": float, "bool": "True".__eq__}
    return parsers.get(cells, str)(name)
