"""Writes a run's test predictions as Parquet, a window of texts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.config.traits import TaskName
from headstart.store.files import whole_file


class PredictionsWriter:
    """Columns `id`, `label`, `predicted`, and for classes one probability column each, `p_<class>`."""

    def __init__(self, writer: pq.ParquetWriter, task: TaskName, names: Sequence[str]) -> None:
        self._writer, self._task, self._names = writer, task, names

    def add(self, ids: Sequence[int], labels: np.ndarray, said: np.ndarray) -> None:
        """Write n texts: their `ids`, true `labels` and what the model `said`, [n, C] or [n, 1]."""
        columns = {"id": pa.array(ids, pa.int64()), "label": self._labels(labels)}
        columns |= prediction_columns(said, self._task, self._names)
        self._writer.write_table(pa.table(columns))

    def _labels(self, labels: np.ndarray) -> pa.Array:
        if self._task == "classification":
            return pa.array([self._names[i] for i in labels], pa.string())
        if self._task == "multi-label":
            return _label_lists(labels > 0, self._names)
        return pa.array(labels.astype(np.float64))


@contextmanager
def predictions_file(path: Path, task: TaskName, names: Sequence[str]) -> Iterator[PredictionsWriter]:
    """A writer whose file appears when the block ends well."""
    labels = {"classification": pa.string(), "multi-label": pa.list_(pa.string())}.get(task, pa.float64())
    fields = [("id", pa.int64()), ("label", labels), ("predicted", labels)]
    fields += [(f"p_{name}", pa.float64()) for name in names]
    with whole_file(path) as scratch, pq.ParquetWriter(scratch, pa.schema(fields)) as writer:
        yield PredictionsWriter(writer, task, names)


def prediction_columns(said: np.ndarray, task: TaskName, names: Sequence[str]) -> dict[str, pa.Array]:
    """`predicted` and the probabilities as columns, from what a model said of n texts, [n, C] or [n, 1]."""
    if task == "regression":
        return {"predicted": pa.array(said[:, 0].astype(np.float64))}
    if task == "classification":
        predicted = pa.array([names[i] for i in said.argmax(-1)], pa.string())
    else:
        predicted = _label_lists(said > 0.5, names)
    shares = {f"p_{name}": pa.array(said[:, i].astype(np.float64)) for i, name in enumerate(names)}
    return {"predicted": predicted, **shares}


def _label_lists(flags: np.ndarray, names: Sequence[str]) -> pa.Array:
    chosen = [[name for name, flag in zip(names, row, strict=True) if flag] for row in flags]
    return pa.array(chosen, pa.list_(pa.string()))
