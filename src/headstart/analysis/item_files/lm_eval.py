"""Reads sample files of lm-evaluation-harness, `<model>/samples_<task>_<date>.jsonl` of `--log_samples`.

One object for each document and filter: `doc_id`, `doc_hash` (since 0.4.3), `filter` and `metrics` (newer),
and the document's score under each metric's name (lm_eval/result_schema.py, SampleResult). Before 0.4.3 the
file is one JSON array.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from headstart.analysis.item_files.base import ItemFile, ItemRow, number_repeats
from headstart.analysis.item_files.fields import check_kind, take_field
from headstart.analysis.item_files.json_files import read_first_object, read_objects
from headstart.data.formats import Cells
from headstart.errors import DataError

_FILE: Final = re.compile(r"samples_(?P<task>.+)_\d{4}-\d\d-\d\dT[\d.-]+\.jsonl?")
#: Keys of a sample that are no metrics, for files that do not list these.
_FIXED: Final = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}
    | {"doc_hash", "prompt_hash", "target_hash"}
)


class LmEvalReader:
    """Items are documents, known by the hash of their content where there is one, else by their number."""

    description = "a sample file of lm-evaluation-harness (samples_TASK_DATE.jsonl)"

    def recognises(self, file: Path) -> bool:
        """By `doc_id` and `filtered_resps` of the first sample."""
        is_json = file.suffix.lower() in (".jsonl", ".json")
        return is_json and {"doc_id", "filtered_resps"} <= read_first_object(file).keys()

    def read(self, file: Path) -> ItemFile:
        """As `ItemReader`; metrics of files with several filters are called `exact_match,strict-match`."""
        samples = [(where, _keep_scores(sample, where)) for where, sample in read_objects(file)]
        items = _name_documents(samples)
        filters = {sample.get("filter") for _, sample in samples}
        _check_once(samples)
        rows = [
            ItemRow(
                where,
                items[sample["doc_id"]],
                _name_metrics(sample, with_filter=len(filters) > 1),
                group=sample.get("doc_hash"),
            )
            for where, sample in samples
        ]
        found = _FILE.fullmatch(file.name)
        return ItemFile(
            file,
            _merge_filters(rows),
            arm=file.resolve().parent.name,
            task=found["task"] if found else None,
        )


def _keep_scores(sample: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Without prompts and answers, which are large."""
    _check_keys(sample, where)
    names = check_kind(
        sample.get("metrics", [name for name in sample if name not in _FIXED]), list, "metrics", where
    )
    for name in names:
        check_kind(name, str, "a name in metrics", where)
    kept = {name: sample.get(name) for name in ("doc_id", "doc_hash", "filter") if name in sample}
    return kept | {"scores": {name: sample.get(name) for name in names}}


def _check_keys(sample: Mapping[str, Any], where: str) -> None:
    """See that what tells documents apart can do so."""
    if not isinstance(sample.get("doc_id"), int | str):
        take_field(sample, "doc_id", int, where)
    for name in ("doc_hash", "filter"):
        if sample.get(name) is not None:
            take_field(sample, name, str, where)


def _name_documents(samples: Sequence[Cells]) -> dict[Any, str]:
    """By `doc_id`; documents of equal content are numbered in the order of theirs."""
    hashes = {sample["doc_id"]: sample.get("doc_hash") for _, sample in samples}
    ordered = sorted(hashes, key=lambda doc_id: (isinstance(doc_id, str), doc_id))
    names = [f"doc {doc_id}" if hashes[doc_id] is None else str(hashes[doc_id]) for doc_id in ordered]
    return dict(zip(ordered, number_repeats(names), strict=True))


def _check_once(samples: Sequence[Cells]) -> None:
    seen: dict[tuple[object, object], str] = {}
    for where, sample in samples:
        key = sample["doc_id"], sample.get("filter")
        if key in seen:
            raise DataError(
                f"document {key[0]} is there twice, first at {seen[key]}",
                where=where,
                expected="each document once for each filter, which newer files tell apart",
                fix="two runs were written to one file: keep one, or run lm_eval again",
            )
        seen[key] = where


def _name_metrics(sample: Mapping[str, Any], *, with_filter: bool) -> dict[str, object]:
    suffix = f",{sample.get('filter')}" if with_filter else ""
    return {f"{name}{suffix}": value for name, value in sample["scores"].items()}


def _merge_filters(rows: Sequence[ItemRow]) -> list[ItemRow]:
    """One row for each document, with the metrics of all filters."""
    merged: dict[str, ItemRow] = {}
    for row in rows:
        known = merged.get(row.item)
        values = row.values if known is None else {**known.values, **row.values}
        merged[row.item] = ItemRow(row.where, row.item, values, group=row.group)
    return list(merged.values())


LM_EVAL: Final = LmEvalReader()
