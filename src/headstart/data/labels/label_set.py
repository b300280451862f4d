"""Any number of labels for each example: a list, 0/1 columns, or one cell with separators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import Part, Row
from headstart.data.labels.base import LabelStatistics
from headstart.data.labels.named_label import NamedLabel, count_by_name, format_name, is_nothing
from headstart.errors import DataError


class LabelSet(NamedLabel):
    """Labels are 0 or 1 for each of C names [N, C], float32."""

    def list_names(self, row: Row, data: Data) -> list[str]:
        """The names of a row, of which there may be none."""
        if isinstance(row.label, dict):
            return [column for column, value in row.label.items() if _parse_flag(value, column, row)]
        if isinstance(row.label, list):
            return [_parse_listed(value, row) for value in row.label]
        if row.label is None or (isinstance(row.label, float) and math.isnan(row.label)):
            raise DataError("no labels (null or NaN)", where=row.where, expected="labels, or an empty cell")
        return [name for cell in str(row.label).split(data.label_separator) if (name := cell.strip())]

    def encode(self, rows: Sequence[Row], names: Sequence[str], data: Data) -> np.ndarray:
        """1 where a row has the label."""
        index = {name: i for i, name in enumerate(names)}
        labels = np.zeros((len(rows), len(names)), np.float32)
        for i, row in enumerate(rows):
            labels[i, [index[name] for name in self.list_names(row, data)]] = 1
        return labels

    def check_learnable(self, labels: np.ndarray, names: Sequence[str]) -> None:
        """Without any label there is nothing to find."""
        if not labels.any():
            raise DataError("no training text has a label", where="data", expected="at least one label")

    def summarise(self, labels: Mapping[Part, np.ndarray], names: Sequence[str]) -> LabelStatistics:
        """Examples with each label, and labels an example."""
        counts = {part: values.sum(0) for part, values in labels.items()}
        means = {part: float(values.sum(1).mean()) for part, values in labels.items()}
        return LabelStatistics(counts=count_by_name(counts, names), labels_per_example=means)


def _parse_flag(value: object, column: str, row: Row) -> bool:
    if str(value).lower() not in ("0", "1", "0.0", "1.0", "true", "false"):
        raise DataError(f"{value!r} in column {column!r}", where=row.where, expected="0 or 1")
    return str(value).lower() in ("1", "1.0", "true")


def _parse_listed(value: object, row: Row) -> str:
    if is_nothing(value):
        raise DataError(
            f"{value!r} in a list of labels", where=row.where, expected="names; an empty list for none"
        )
    return format_name(value)
