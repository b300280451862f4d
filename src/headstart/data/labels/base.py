"""What a kind of label is: how it is read from a row, named, compared, checked, counted and encoded.

A task says of which kind its labels are (`config.traits.TaskTraits.labels`); nothing here asks for its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import CellType, Part, Row, Text
from headstart.data.distributions import Bar
from headstart.data.formats import get_cell
from headstart.data.texts import check_encodable, list_text_columns, read_text
from headstart.errors import DataError
from headstart.records import StudyWarning

#: A row's label in a form that is equal for equal labels, however they are written.
LabelKey = tuple[str | float, ...]


@dataclass(frozen=True)
class LabelStatistics:
    """How often labels stand in each part, or how they are distributed; None where that does not apply.

    `counts` are examples by class name, `labels_per_example` their mean number of labels; `quantiles` are of
    numbers, with a `histogram` of the training labels. `most_frequent_set` are the labels that stand together
    most often in the training part.
    """

    counts: dict[str, dict[Part, int]] | None = None
    labels_per_example: dict[Part, float] | None = None
    quantiles: dict[Part, dict[str, float]] | None = None
    histogram: tuple[Bar, ...] | None = None
    most_frequent_set: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`: what applies."""
        values = {
            "counts": self.counts,
            "labels_a_text": self.labels_per_example,
            "numbers": self.quantiles,
            "histogram": None if self.histogram is None else [bar.to_dict() for bar in self.histogram],
            "most_frequent_set": None if self.most_frequent_set is None else list(self.most_frequent_set),
        }
        return {key: value for key, value in values.items() if value is not None}


def _check_label(label: object, place: str, where: str) -> object:
    """The label; as a name, bytes would be what Python prints, and half a character cannot be written."""
    for text in label if isinstance(label, list | dict) else (label,):
        if isinstance(text, str):
            check_encodable(text, place, where)
    if isinstance(label, bytes):
        raise DataError(
            f"label {label[:80]!r} is bytes",
            where=where,
            expected="a text or a number",
            fix="write the Parquet file with the column as text",
        )
    return label


class LabelType(ABC):
    """One kind of label. Without state: one object serves all studies.

    Shapes: N examples, C classes.
    """

    #: Whether parts are drawn so that each holds the same share of each label.
    is_stratified: ClassVar[bool] = False

    def list_columns(self, data: Data) -> tuple[str, ...]:
        """The columns that a study reads: texts, then labels."""
        labels = (data.label,) if isinstance(data.label, str) else data.label
        return (*list_text_columns(data), *labels)

    def read_text(self, cells: Mapping[str, Any], data: Data, where: str) -> Text:
        """The text of one row.

        Raises:
            DataError: a column is absent, or a cell holds no text.
        """
        return read_text(cells, data.text, where)

    def list_unread(self, cells: Mapping[str, Any], data: Data) -> Sequence[str]:
        """What of a row is likely to matter and is not read, in words that go into a warning."""
        return ()

    def read_label(self, cells: Mapping[str, Any], data: Data, where: str) -> object:
        """The label of one row as it stands there: a cell, or several by column.

        Raises:
            DataError: a column is absent, or the cell holds bytes.
        """
        if isinstance(data.label, str):
            label = get_cell(cells, data.label, where, "data.label")
            return _check_label(label, f"column {data.label!r}", where)
        return {column: get_cell(cells, column, where, "data.label") for column in data.label}

    def settle(self, rows: Mapping[Part, Sequence[Row]], data: Data) -> Mapping[Part, Sequence[Row]]:
        """The rows with labels that mean by themselves what they mean in their column.

        Raises:
            DataError: what a label means cannot be said.
        """
        return rows

    def identify_cells(self, rows: Sequence[Row]) -> CellType:
        """What names of labels are in the cells of rows, so that predictions can be the same."""
        return "text"

    def collect_names(self, rows: Mapping[Part, Sequence[Row]], data: Data) -> tuple[str, ...]:
        """The names of the classes, in order; none where labels have no names.

        Raises:
            DataError: a row has no label, or one that no training row has.
        """
        return ()

    @abstractmethod
    def encode(self, rows: Sequence[Row], names: Sequence[str], data: Data) -> np.ndarray:
        """The labels of N rows as an array [N] or [N, C].

        Raises:
            DataError: a row has no label, or one that is not of this kind.
        """

    @abstractmethod
    def make_key(self, row: Row, data: Data) -> LabelKey:
        """The row's label for comparison with others: 1 in one file and "1" in another are one class."""

    def check_learnable(self, labels: np.ndarray, names: Sequence[str]) -> None:  # noqa: B027 - some are always
        """Refuse training labels from which nothing can be learnt.

        Raises:
            DataError: says what they lack.
        """

    def find_only_value(self, labels: np.ndarray, names: Sequence[str]) -> str | None:
        """What all the labels are, in words, where nothing can be told apart; else None."""
        return None

    def find_doubts(self, labels: np.ndarray, names: Sequence[str]) -> Iterator[StudyWarning]:
        """What is worth a warning about how often each label stands in the training part."""
        return iter(())

    def summarise(self, labels: Mapping[Part, np.ndarray], names: Sequence[str]) -> LabelStatistics:
        """What the labels of all parts look like in numbers."""
        return LabelStatistics()
