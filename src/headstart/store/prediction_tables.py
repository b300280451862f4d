"""Parses tables of predictions as arrays, by the columns that they have; computes no metric but losses.

Shapes: N examples of a file, C classes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headstart.stats.answers import AnswerMeasures
from headstart.store.answer_columns import has_measures, read_answer_measures

#: What is predicted of an example: a class, a set of labels, a number, an answer, or each of its tokens.
Kind = Literal["classes", "labels", "numbers", "answers", "tokens"]
#: A probability below this counts as this, so that a loss is finite.
_MIN_PROBABILITY: Final = 1e-12
#: Probabilities are as a model gave them, in 32 bits. That of a class is exact in proportion, that of a label
#: which is not there, 1 - p, is not: these are some of their last digits.
_SHARE_ROUNDED: Final = 1e-5
_ROUNDING: Final = 1e-6
#: Below this they end.
_TINY: Final = 1e-30
#: Whole numbers that are equal for examples of one group; absent where each is by itself.
GROUP_COLUMN: Final = "group"


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


def _check_whole(table: pa.Table) -> None:
    """See that each example has a value in each column: none is ever written without."""
    without = next((name for name in table.column_names if table[name].null_count), None)
    if without is not None:
        raise ValueError(f"an example has no {without!r}")


def _read_groups(table: pa.Table) -> np.ndarray | None:
    """The groups [N], where the file has them: an earlier one, or one of examples without any, has not."""
    return table[GROUP_COLUMN].to_numpy() if GROUP_COLUMN in table.column_names else None


def parse_table(table: pa.Table) -> Predictions:
    """What a file of predictions holds.

    Raises:
        LookupError, ValueError, TypeError, AttributeError, pa.ArrowException: an example lacks a value, or
            columns, or values in them, are not those that are written.
    """
    _check_whole(table)
    return replace(_parse_columns(table), groups=_read_groups(table))


def _parse_columns(table: pa.Table) -> Predictions:
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
