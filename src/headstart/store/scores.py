"""Reads what a run said of each test text, from its predictions, as arrays; computes no metric but losses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headstart.errors import OutputError

Kind = Literal["classes", "labels", "numbers", "answers", "tokens"]
#: Metrics of a language model's tokens.
OF_TOKENS: Final = frozenset({"loss", "perplexity", "token_accuracy"})
#: Below this a probability counts as this: what the engine's loss does with a text it is sure to get wrong.
_LEAST: Final = 1e-12


@dataclass(frozen=True)
class Predictions:
    """What is true of N test examples and what a model predicted.

    `y_true` and `y_pred` are class numbers [N] below `classes`, 0 or 1 for each label [N, C], or numbers [N];
    of written answers `y_pred` is 0 or 1 [N], whether it is the response expected, and `y_true` is 1; of
    tokens `y_true` is how many an example has, and `y_pred` how many were the likeliest. `losses` [N], of
    tokens their sums, is None where probabilities are not known; `stopped` [N] is of answers alone. `digest`
    tells one set of test examples, with their labels, from another.
    """

    kind: Kind
    y_true: np.ndarray
    y_pred: np.ndarray
    classes: int
    digest: str
    losses: np.ndarray | None = None
    stopped: np.ndarray | None = None


def read_predictions(folder: Path, metric: str) -> Predictions | None:
    """What a run's folder holds that `metric` is of; None where it was deleted.

    Raises:
        OutputError: the file cannot be read.
    """
    file = folder / "tokens.parquet"
    if metric not in OF_TOKENS or not file.is_file():
        file = folder / "predictions.parquet"
    if not file.is_file():
        return None
    try:
        table = pq.read_table(file)
        if "tokens" in table.column_names:
            return _tokens(table)
        return _answers(table) if "answer" in table.column_names else _predictions(table)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise OutputError(f"predictions cannot be read: {error}", where=str(file)) from error


def _predictions(table: pa.Table) -> Predictions:
    names = [name.removeprefix("p_") for name in table.column_names if name.startswith("p_")]
    kind = table.schema.field("label").type
    if pa.types.is_string(kind):
        return _classes(table, names)
    return _labels(table, names) if pa.types.is_list(kind) else _numbers(table)


def _classes(table: pa.Table, names: Sequence[str]) -> Predictions:
    true, said = (_places(table[column], names) for column in ("label", "predicted"))
    shares = _shares(table, names)
    losses = -np.log(np.maximum(shares[np.arange(len(true)), true], _LEAST))
    return Predictions("classes", true, said, len(names), _digest(table, true, names), losses)


def _labels(table: pa.Table, names: Sequence[str]) -> Predictions:
    true, said = (_flags(table[column], names) for column in ("label", "predicted"))
    shares = _shares(table, names)
    right = np.where(true > 0, shares, 1 - shares)
    losses = -np.log(np.maximum(right, _LEAST)).mean(1)
    return Predictions("labels", true, said, len(names), _digest(table, true, names), losses)


def _numbers(table: pa.Table) -> Predictions:
    true, said = (table[column].to_numpy() for column in ("label", "predicted"))
    return Predictions("numbers", true, said, 0, _digest(table, true, ()), (said - true) ** 2)


def _answers(table: pa.Table) -> Predictions:
    expected, said = table["response"], table["answer"]
    right = pc.equal(pc.utf8_trim_whitespace(said), pc.utf8_trim_whitespace(expected))
    stopped = table["stopped"].to_numpy().astype(float)
    ones = np.ones(table.num_rows)
    digest = _digest(table, ones, expected.to_pylist())
    return Predictions("answers", ones, right.to_numpy().astype(float), 0, digest, stopped=stopped)


def _tokens(table: pa.Table) -> Predictions:
    counts, right, losses = (table[name].to_numpy() for name in ("tokens", "right", "loss"))
    return Predictions("tokens", counts, right, 0, _digest(table, counts, ()), losses)


def _places(column: pa.ChunkedArray | pa.Array, names: Sequence[str]) -> np.ndarray:
    places = pc.index_in(column, value_set=pa.array(names, pa.string()))
    if places.null_count:
        raise KeyError("a label without a column of its probability")
    return np.asarray(places.to_numpy().astype(np.int64))


def _flags(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    flags = np.zeros((len(column), len(names)), np.int8)
    lists = column.combine_chunks()
    flags[pc.list_parent_indices(lists).to_numpy(), _places(pc.list_flatten(lists), names)] = 1
    return flags


def _shares(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    return np.stack([table[f"p_{name}"].to_numpy() for name in names], 1)


def _digest(table: pa.Table, true: np.ndarray, names: Sequence[str]) -> str:
    """SHA-256 of ids and labels."""
    ids = np.ascontiguousarray(table["id"].to_numpy())
    parts = (ids.tobytes(), np.ascontiguousarray(true).tobytes(), repr(list(names)).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
