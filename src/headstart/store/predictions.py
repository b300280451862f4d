"""Writes what a run's model predicted of the test examples, a window at a time, and reads it back as arrays.

A row of `predictions.parquet` is an example. Which columns it has beside `id`, and `group` where examples
have something in common, is its task's affair: they are given to the writer. Reading goes by the columns that
are there; it computes no metric but losses.
Shapes: N examples of a file, n of a window, C classes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headstart.errors import DamagedFileError
from headstart.files import write_file_atomically
from headstart.os_faults import reading
from headstart.stats.answers import AnswerMeasures
from headstart.store.answer_columns import has_measures, read_answer_measures

#: What is predicted of an example: a class, a set of labels, a number, an answer, or each of its tokens.
Kind = Literal["classes", "labels", "numbers", "answers", "tokens"]
#: Metrics of a language model's tokens.
TOKEN_METRICS: Final = frozenset({"loss", "perplexity", "token_accuracy"})
#: A probability below this counts as this, so that a loss is finite.
_MIN_PROBABILITY: Final = 1e-12
#: Probabilities are as a model gave them, in 32 bits. That of a class is exact in proportion, that of a label
#: which is not there, 1 - p, is not: these are some of their last digits.
_SHARE_ROUNDED: Final = 1e-5
_ROUNDING: Final = 1e-6
#: Below this they end.
_TINY: Final = 1e-30
PREDICTIONS_FILE: Final = "predictions.parquet"
TOKENS_FILE: Final = "tokens.parquet"
#: Whole numbers that are equal for examples of one group; absent where each is by itself.
GROUP_COLUMN: Final = "group"


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


@dataclass(frozen=True)
class Predictions:
    """What is true of N test examples and what a model predicted.

    `y_true` and `y_pred` are class numbers [N] below `classes`, 0 or 1 for each label [N, C], or numbers [N];
    of written answers `y_pred` is 0 or 1 [N], whether it is the response expected, and `y_true` is 1; of
    tokens `y_true` is how many an example has, and `y_pred` how many were predicted right. `losses` [N], of
    tokens their sums, is None where probabilities are not known; `answers` and `stopped` [N] are of answers
    alone, and `is_measured` says that the file holds what each is worth. `digest` tells one set of test
    examples, with their labels, from another; `groups` [N], which it does not depend on, are equal where
    examples have something in common, and None where each is by itself. `loss_range` is between what the
    mean loss was before probabilities were rounded to be written. `names` are those of the classes or labels;
    there are none of others.
    """

    kind: Kind
    y_true: np.ndarray
    y_pred: np.ndarray
    classes: int
    digest: str
    losses: np.ndarray | None = None
    stopped: np.ndarray | None = None
    answers: AnswerMeasures | None = None
    groups: np.ndarray | None = None
    loss_range: tuple[float, float] | None = None
    is_measured: bool = True
    names: tuple[str, ...] = ()


class PredictionReader:
    """Reads each run's predictions once, however many metrics are computed from them.

    What is read is kept, so a run must have ended.
    """

    def __init__(self, get_folder: Callable[[str], Path]) -> None:
        self._get_folder = get_folder
        self._kept: dict[Path, Predictions] = {}

    def __call__(self, key: str, metric: str) -> Predictions | None:
        """As `read_predictions`, of the folder of run `key`.

        Raises:
            DamagedFileError: the file cannot be read.
        """
        file = find_predictions(self._get_folder(key), metric)
        if file is None:
            return None
        if file not in self._kept:
            self._kept[file] = _read_file(file)
        return self._kept[file]


def read_predictions(folder: Path, metric: str) -> Predictions | None:
    """What a run's folder holds that `metric` is computed from; None where it was deleted.

    Raises:
        DamagedFileError: the file cannot be read.
    """
    file = find_predictions(folder, metric)
    return None if file is None else _read_file(file)


def find_predictions(folder: Path, metric: str) -> Path | None:
    """The file of a run's folder that `metric` is computed from; None where it was deleted."""
    file = folder / TOKENS_FILE
    if metric not in TOKEN_METRICS or not file.exists():
        file = folder / PREDICTIONS_FILE
    return file if file.exists() else None


def _read_file(file: Path) -> Predictions:
    try:
        if not file.is_file():
            raise OSError("it is not a file")
        with reading(file):
            table = pq.read_table(file)
        _check_whole(table)
        return replace(_parse_table(table), groups=_read_groups(table))
    # What is no Parquet, and what has other columns, or other values in them, than are written here.
    except (OSError, pa.ArrowException, LookupError, ValueError, TypeError, AttributeError) as error:
        raise DamagedFileError(
            f"predictions cannot be read: {describe_cause(error)}",
            where=str(file),
            fix="run the study again: the run is redone, and the old files are kept in set-aside/",
        ) from error


def describe_cause(error: Exception) -> str:
    """What a library says of a file, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _check_whole(table: pa.Table) -> None:
    """See that each example has a value in each column: none is ever written without."""
    without = next((name for name in table.column_names if table[name].null_count), None)
    if without is not None:
        raise ValueError(f"an example has no {without!r}")


def _read_groups(table: pa.Table) -> np.ndarray | None:
    """The groups [N], where the file has them: an earlier one, or one of examples without any, has not."""
    return table[GROUP_COLUMN].to_numpy() if GROUP_COLUMN in table.column_names else None


def _parse_table(table: pa.Table) -> Predictions:
    if "tokens" in table.column_names:
        return _parse_tokens(table)
    if "answer" in table.column_names:
        return _parse_answers(table)
    names = [name.removeprefix("p_") for name in table.column_names if name.startswith("p_")]
    kind = table.schema.field("label").type
    if pa.types.is_string(kind):
        return _parse_classes(table, names)
    return _parse_label_sets(table, names) if pa.types.is_list(kind) else _parse_numbers(table)


def _parse_classes(table: pa.Table, names: Sequence[str]) -> Predictions:
    y_true, y_pred = (_find_indices(table[column], names) for column in ("label", "predicted"))
    probabilities = _stack_probabilities(table, names)
    of_true = probabilities[np.arange(len(y_true)), y_true]
    losses = -np.log(np.maximum(of_true, _MIN_PROBABILITY))
    digest = _hash_labels(table, y_true, names)
    return Predictions(
        "classes",
        y_true,
        y_pred,
        len(names),
        digest,
        losses,
        loss_range=_bound_loss(of_true, _SHARE_ROUNDED * of_true),
        names=tuple(names),
    )


def _parse_label_sets(table: pa.Table, names: Sequence[str]) -> Predictions:
    y_true, y_pred = (_mark_labels(table[column], names) for column in ("label", "predicted"))
    probabilities = _stack_probabilities(table, names)
    of_true = np.where(y_true > 0, probabilities, 1 - probabilities)
    losses = -np.log(np.maximum(of_true, _MIN_PROBABILITY)).mean(1)
    digest = _hash_labels(table, y_true, names)
    return Predictions(
        "labels",
        y_true,
        y_pred,
        len(names),
        digest,
        losses,
        loss_range=_bound_loss(of_true, _ROUNDING),
        names=tuple(names),
    )


def _bound_loss(probabilities: np.ndarray, rounding: np.ndarray | float) -> tuple[float, float]:
    """The least and the most that the mean loss can have been, of what is true, before probabilities were
    rounded by so much; without an end where one of them may have been zero."""
    if not probabilities.size:
        return 0.0, math.inf
    low = -np.log(np.clip(probabilities + rounding, _TINY, 1.0)).mean()
    least = probabilities - rounding
    return float(low), float(-np.log(least).mean()) if (least > _TINY).all() else math.inf


def _parse_numbers(table: pa.Table) -> Predictions:
    y_true, y_pred = (table[column].to_numpy() for column in ("label", "predicted"))
    return Predictions("numbers", y_true, y_pred, 0, _hash_labels(table, y_true, ()), (y_pred - y_true) ** 2)


def _parse_answers(table: pa.Table) -> Predictions:
    measures = read_answer_measures(table)
    ones = np.ones(table.num_rows)
    return Predictions(
        "answers",
        ones,
        measures.exact_match,
        0,
        _hash_labels(table, ones, table["response"].to_pylist()),
        stopped=table["stopped"].to_numpy().astype(float),
        answers=measures,
        is_measured=has_measures(table),
    )


def _parse_tokens(table: pa.Table) -> Predictions:
    counts, right, losses = (table[name].to_numpy() for name in ("tokens", "right", "loss"))
    return Predictions("tokens", counts, right, 0, _hash_labels(table, counts, ()), losses)


def _find_indices(column: pa.ChunkedArray | pa.Array, names: Sequence[str]) -> np.ndarray:
    """The place of each label among the names."""
    indices = pc.index_in(column, value_set=pa.array(names, pa.string()))
    if indices.null_count:
        raise KeyError("a label without a column of its probability")
    return np.asarray(indices.to_numpy().astype(np.int64))


def _mark_labels(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    """Lists of labels as 0 or 1 for each name, [N, C]."""
    marks = np.zeros((len(column), len(names)), np.int8)
    lists = column.combine_chunks()
    marks[pc.list_parent_indices(lists).to_numpy(), _find_indices(pc.list_flatten(lists), names)] = 1
    return marks


def _stack_probabilities(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    return np.stack([table[f"p_{name}"].to_numpy() for name in names], 1)


def _hash_labels(table: pa.Table, y_true: np.ndarray, names: Sequence[str]) -> str:
    """SHA-256 of ids and labels."""
    ids = np.ascontiguousarray(table["id"].to_numpy())
    parts = (ids.tobytes(), np.ascontiguousarray(y_true).tobytes(), repr(list(names)).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
