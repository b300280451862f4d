"""Written answers as columns of `predictions.parquet`, each with what it is worth; read back from any age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.os_faults import reading
from headstart.stats.answers import AnswerMeasures, measure_answers
from headstart.store.damaged_tables import telling_damage

#: Of each answer alone; `chrf` is for readers of the file, its counts are what figures are computed from.
_MEASURES: Final = ("exact_match", "chrf", "token_f1", "chrf_counts")


@dataclass(frozen=True)
class AnsweredPrompts:
    """What a run answered to N test prompts: texts, each example's `ids`, and `groups` where there are some.

    `earlier` are the messages before each prompt; empty where it is the first.
    """

    ids: tuple[int, ...]
    groups: tuple[int, ...] | None
    earlier: tuple[str, ...]
    prompts: tuple[str, ...]
    references: tuple[str, ...]
    answers: tuple[str, ...]


def make_answer_columns(
    *,
    earlier: Sequence[str],
    prompts: Sequence[str],
    references: Sequence[str],
    answers: Sequence[str],
    stopped: Sequence[bool],
) -> dict[str, pa.Array]:
    """The columns of N answers, beside those that all predictions begin with."""
    measures = measure_answers(answers, references)
    counts = pa.array(measures.chrf_counts.astype(np.int32).ravel())
    return {
        "earlier": pa.array(earlier, pa.string()),
        "prompt": pa.array(prompts, pa.string()),
        "response": pa.array(references, pa.string()),
        "answer": pa.array(answers, pa.string()),
        "stopped": pa.array(stopped, pa.bool_()),
        "exact_match": pa.array(measures.exact_match > 0),
        "chrf": pa.array(measures.chrf),
        "token_f1": pa.array(measures.token_f1),
        "chrf_counts": pa.FixedSizeListArray.from_arrays(counts, measures.chrf_counts.shape[1]),
    }


def has_measures(table: pa.Table) -> bool:
    """Whether a file of answers holds what each is worth, as all do but the earliest."""
    return set(_MEASURES) <= set(table.column_names)


def read_answer_measures(table: pa.Table) -> AnswerMeasures:
    """What each answer of a file is worth; of a file without these columns, computed from its texts."""
    if not has_measures(table):
        return measure_answers(table["answer"].to_pylist(), table["response"].to_pylist())
    counts = table["chrf_counts"].combine_chunks()
    return AnswerMeasures(
        exact_match=table["exact_match"].to_numpy().astype(float),
        chrf_counts=counts.flatten().to_numpy().reshape(len(counts), -1).astype(np.int64),
        token_f1=table["token_f1"].to_numpy(),
    )


def read_answered_prompts(file: Path) -> AnsweredPrompts:
    """The texts of a file of predictions.

    Raises:
        DamagedFileError: it cannot be read, or holds no answers.
    """
    with telling_damage(file, "answers"):
        with reading(file):
            columns: Mapping[str, list[Any]] = pq.read_table(file).to_pydict()
        return AnsweredPrompts(
            ids=tuple(columns["id"]),
            groups=tuple(columns["group"]) if "group" in columns else None,
            earlier=tuple(columns.get("earlier", [""] * len(columns["id"]))),
            prompts=tuple(columns["prompt"]),
            references=tuple(columns["response"]),
            answers=tuple(columns["answer"]),
        )
