"""One class for each example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import Part, Row
from headstart.data.labels.base import LabelStatistics
from headstart.data.labels.list_cells import parse_list
from headstart.data.labels.missing import find_missing_labels
from headstart.data.labels.named_label import NamedLabel, count_by_name, format_name, is_nothing
from headstart.data.texts import shorten
from headstart.errors import DataError
from headstart.records import StudyWarning

#: A class this many times rarer than the commonest one is worth a warning.
IMBALANCE: Final = 10


class ClassLabel(NamedLabel):
    """Labels are class numbers [N], int64."""

    is_stratified = True

    def list_names(self, row: Row, data: Data) -> list[str]:
        """The one name of a row."""
        if is_nothing(row.label):
            raise DataError("no label (empty, null or NaN)", where=row.where, expected="a label")
        if _holds_several(row.label):
            raise DataError(
                f"label {shorten(row.label)} contains several labels",
                where=row.where,
                expected="one label per text",
                fix="set task: multi-label",
            )
        return [format_name(row.label)]

    def encode(self, rows: Sequence[Row], names: Sequence[str], data: Data) -> np.ndarray:
        """The place of each row's name among the names."""
        index = {name: i for i, name in enumerate(names)}
        return np.array([index[name] for row in rows for name in self.list_names(row, data)], np.int64)

    def check_learnable(self, labels: np.ndarray, names: Sequence[str]) -> None:
        """A single class leaves nothing to tell apart."""
        if len(names) < 2:
            raise DataError(
                f"a single class, {names[0]!r}, in the training examples",
                where="data",
                expected="at least two",
            )

    def find_only_value(self, labels: np.ndarray, names: Sequence[str]) -> str | None:
        """The one class."""
        return f"class {names[labels[0]]!r}" if len(np.unique(labels)) == 1 else None

    def find_doubts(self, labels: np.ndarray, names: Sequence[str]) -> Iterator[StudyWarning]:
        """A class that is much rarer than the commonest one, and one that may stand for no label."""
        counts = Counter(labels.tolist())
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        if counts[most] >= IMBALANCE * counts[least]:
            yield StudyWarning(
                kind="imbalance",
                message=f"class {names[most]!r} has {counts[most]} training examples, {names[least]!r} has "
                f"{counts[least]}: use macro_f1 or balanced_accuracy alongside accuracy",
            )
        yield from find_missing_labels(labels, names)

    def summarise(self, labels: Mapping[Part, np.ndarray], names: Sequence[str]) -> LabelStatistics:
        """Examples of each class; nothing where there are no names to count by."""
        counts = {part: np.bincount(values, minlength=len(names)) for part, values in labels.items()}
        return LabelStatistics(counts=count_by_name(counts, names))


def _holds_several(label: object) -> bool:
    """Whether a label is a list, or the text of one."""
    if not isinstance(label, str):
        return isinstance(label, list | dict)
    try:
        return parse_list(label) is not None
    except ValueError:  # a name with brackets
        return False
