"""Gives the rows of Arrow batches as Python values; a value that Python cannot hold exactly comes as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def read_arrow(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch, by column name."""
    names, columns = batch.schema.names, [_read_column(column) for column in batch.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def append_columns(batch: pa.RecordBatch, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """The batch as it was, with the columns that `rows` hold behind it.

    Args:
        schema: of all columns.
    """
    added = schema.names[batch.num_columns :]
    columns = [pa.array([row[name] for row in rows], schema.field(name).type) for name in added]
    return pa.Table.from_arrays([*batch.columns, *columns], schema=schema)


def _read_column(column: pa.Array) -> list[Any]:
    if _counts_nanoseconds(column.type):
        return _read_as_text(column)
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):  # a year beyond 9999, say
        return _read_as_text(column)
    return values


def _counts_nanoseconds(kind: pa.DataType) -> bool:
    """Python's times end at microseconds."""
    return getattr(kind, "unit", None) == "ns"


def _read_as_text(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = pc.cast(column, pa.string()).to_pylist()
    except pa.ArrowException:  # of this type Arrow writes no text
        return [None if not scalar.is_valid else repr(scalar) for scalar in column]
    return values
