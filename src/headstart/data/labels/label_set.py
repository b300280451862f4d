"""Any number of labels for each example: a list, 0/1 columns, or one cell with separators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import Part, Row
from headstart.data.labels.base import LabelStatistics
from headstart.data.labels.label_columns import check_separators, name_places
from headstart.data.labels.list_cells import parse_list
from headstart.data.labels.named_label import NamedLabel, count_by_name, format_name, is_nothing
from headstart.data.row_table import RowTable
from headstart.data.texts import shorten
from headstart.errors import DataError


class LabelSet(NamedLabel):
    """Labels are 0 or 1 for each of C names [N, C], float32."""

    def settle(self, rows: Mapping[Part, Sequence[Row]], data: Data) -> Mapping[Part, Sequence[Row]]:
        """Each row's label as a list of names: whether 0 and 1 are names, the whole column says."""
        if not isinstance(data.label, str):
            return rows
        tables = {part: RowTable.of(of_part) for part, of_part in rows.items()}
        distinct = {part: table.find_distinct() for part, table in tables.items()}
        everything = [row for of_part, _ in distinct.values() for row in of_part]
        check_separators(everything, data)
        lists = [self.list_names(row, data) for row in everything]
        names = name_places(everything, lists, data)
        # Lists of names stay what they are: predictions are to have the type of what is in them.
        keeps = names is lists
        settled = (
            row.label if keeps and isinstance(row.label, list) else of_row
            for row, of_row in zip(everything, names, strict=True)
        )
        return {
            part: tables[part].with_labels([next(settled) for _ in of_part], which)
            for part, (of_part, which) in distinct.items()
        }

    def list_names(self, row: Row, data: Data) -> list[str]:
        """The names of a row, of which there may be none."""
        label = _parse_cell(row, data) if isinstance(row.label, str) else row.label
        if isinstance(label, Mapping):
            return [str(name) for name, value in label.items() if _parse_flag(value, name, row)]
        if isinstance(label, list):
            return [_parse_listed(value, row, data) for value in label]
        if label is None or (isinstance(label, float) and math.isnan(label)):
            raise DataError("no labels (null or NaN)", where=row.where, expected="labels, or an empty cell")
        return [format_name(label)]

    def get_given_names(self, data: Data) -> tuple[str, ...] | None:
        """Of columns, and of places in lists of 0 and 1."""
        return data.label if isinstance(data.label, tuple) else data.label_names

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

    def find_only_value(self, labels: np.ndarray, names: Sequence[str]) -> str | None:
        """No label at all."""
        return None if labels.any() else "no label"

    def summarise(self, labels: Mapping[Part, np.ndarray], names: Sequence[str]) -> LabelStatistics:
        """Examples with each label, and labels an example."""
        counts = {part: values.sum(0) for part, values in labels.items()}
        means = {part: float(values.sum(1).mean()) for part, values in labels.items()}
        return LabelStatistics(
            counts=count_by_name(counts, names),
            labels_per_example=means,
            most_frequent_set=_find_most_frequent(labels["train"], names),
        )


def _find_most_frequent(flags: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the set of labels, a row of flags [N, C], that is there most often."""
    sets, counts = np.unique(flags, axis=0, return_counts=True)
    return tuple(name for name, flag in zip(names, sets[counts.argmax()], strict=True) if flag)


def _parse_cell(row: Row, data: Data) -> list[Any] | dict[str, Any]:
    """What a cell of text holds: a list, or names with separators."""
    cell = str(row.label)
    try:
        values = parse_list(cell)
    except ValueError as error:
        if data.label_separator not in cell:
            raise _refuse(f"label {shorten(cell)}", row, data) from error
        values = None
    if values is not None:
        return values
    return [name for part in cell.split(data.label_separator) if (name := part.strip())]


def _refuse(got: str, row: Row, data: Data) -> DataError:
    return DataError(
        got,
        where=row.where,
        expected="names in a list, such as ['drama', 'war'], or with "
        f"{data.label_separator!r} between them; or 0 or 1 for each label in one order, such as [1, 0, 1]; "
        "an empty list or cell for none",
    )


def _parse_flag(value: object, column: str, row: Row) -> bool:
    if str(value).lower() not in ("0", "1", "0.0", "1.0", "true", "false"):
        raise DataError(f"{value!r} in column {column!r}", where=row.where, expected="0 or 1")
    return str(value).lower() in ("1", "1.0", "true")


def _parse_listed(value: object, row: Row, data: Data) -> str:
    is_name = isinstance(value, str | int) or (
        isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value)
    )
    if is_nothing(value) or not is_name:
        raise _refuse(f"{shorten(value)} in a list of labels", row, data)
    return format_name(value)
