"""Writes what a run's model predicted of the test examples, a window at a time.

A row of `predictions.parquet` is an example. Which columns it has beside `id`, and `group` where examples
have something in common, is its task's affair: they are given to the writer. Shapes: n examples of a window,
C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.files import write_file_atomically
from headstart.store.prediction_tables import GROUP_COLUMN


class PredictionColumns(Protocol):
    """The columns of a task's predictions, beside `id`."""

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Their names and types."""

    def build(self, labels: np.ndarray, outputs: np.ndarray) -> Mapping[str, pa.Array]:
        """n examples as these columns, from true labels [n] or [n, C] and outputs [n, C] or [n, 1]."""


class PredictionsWriter:
    """Appends examples to a file of predictions."""

    def __init__(self, writer: pq.ParquetWriter, columns: PredictionColumns) -> None:
        self._writer, self._columns = writer, columns

    def add(
        self,
        ids: Sequence[int],
        labels: np.ndarray,
        outputs: np.ndarray,
        groups: np.ndarray | None = None,
    ) -> None:
        """Append n examples: their `ids`, true `labels` and the model's `outputs`; their `groups` if any."""
        columns = make_example_columns(ids, groups) | dict(self._columns.build(labels, outputs))
        self._writer.write_table(pa.table(columns))


@contextmanager
def open_predictions(
    path: Path, columns: PredictionColumns, *, has_groups: bool = False
) -> Iterator[PredictionsWriter]:
    """A writer whose file appears when the block ends well.

    Args:
        has_groups: examples have something in common, and each window says what.
    """
    names = ("id", GROUP_COLUMN) if has_groups else ("id",)
    schema = pa.schema([*(pa.field(name, pa.int64()) for name in names), *columns.fields])
    with write_file_atomically(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        yield PredictionsWriter(writer, columns)


def make_example_columns(ids: Sequence[int], groups: np.ndarray | None) -> dict[str, pa.Array]:
    """The columns that all predictions begin with: `id`, and `group` where examples have groups."""
    columns = {"id": pa.array(ids, pa.int64())}
    return columns if groups is None else columns | {GROUP_COLUMN: pa.array(groups, pa.int64())}


def write_table(path: Path, columns: Mapping[str, pa.Array]) -> None:
    """Write a table that is known as a whole."""
    with write_file_atomically(path) as temporary:
        pq.write_table(pa.table(dict(columns)), temporary)
