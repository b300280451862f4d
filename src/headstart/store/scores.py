"""Reads what runs scored on each test text, from their predictions; some metrics are no means of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.errors import OutputError

#: Below this a probability counts as this: what the engine's loss does with a text it is sure to get wrong.
_LEAST: Final = 1e-12


def text_scores(file: Path, metric: str) -> Mapping[int, float] | None:
    """Each test text's part of the metric by id: right or wrong, squared or absolute error, or loss.

    None where the metric is no mean over texts, or the predictions were deleted.

    Raises:
        OutputError: the file cannot be read.
    """
    score = _SCORES.get(metric)
    if score is None or not file.is_file():
        return None
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise OutputError(f"predictions cannot be read: {error}", where=str(file)) from error
    values = score(table)
    return None if values is None else dict(zip(table["id"].to_pylist(), values.tolist(), strict=True))


def texts_digest(file: Path) -> str | None:
    """What tells one set of test texts from another: SHA-256 of ids and labels; None without predictions.

    Raises:
        OutputError: the file cannot be read.
    """
    if not file.is_file():
        return None
    try:
        table = pq.read_table(file, columns=["id", "label"])
    except (OSError, pa.ArrowInvalid) as error:
        raise OutputError(f"predictions cannot be read: {error}", where=str(file)) from error
    return hashlib.sha256(repr(table.to_pydict()).encode()).hexdigest()


def _right(table: pa.Table) -> np.ndarray | None:
    """1 where the prediction is the label, all of it, else 0."""
    if not {"label", "predicted"} <= set(table.column_names):
        return None
    pairs = zip(table["label"].to_pylist(), table["predicted"].to_pylist(), strict=True)
    return np.array([_same(label, said) for label, said in pairs], float)


def _same(label: object, said: object) -> bool:
    """Lists of labels are sets."""
    if isinstance(label, list) and isinstance(said, list):
        return set(label) == set(said)
    return label == said


def _loss(table: pa.Table) -> np.ndarray | None:
    """Minus the logarithm of the label's probability."""
    if not pa.types.is_string(table.schema.field("label").type):
        return None
    columns = {name: table[name].to_numpy() for name in table.column_names if name.startswith("p_")}
    labels = table["label"].to_pylist()
    said = np.array([columns[f"p_{label}"][i] for i, label in enumerate(labels)])
    return np.asarray(-np.log(np.maximum(said, _LEAST)))


def _absolute(table: pa.Table) -> np.ndarray | None:
    return np.asarray(np.abs(table["predicted"].to_numpy() - table["label"].to_numpy()))


_SCORES: Final[Mapping[str, Callable[[pa.Table], np.ndarray | None]]] = {
    "accuracy": _right,
    "exact_match": _right,
    "loss": _loss,
    "mae": _absolute,
}
