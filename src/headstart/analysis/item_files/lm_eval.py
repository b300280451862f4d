"""Reads sample files of lm-evaluation-harness, `<model>/samples_<task>_<date>.jsonl` of `--log_samples`.

One object for each document and filter: `doc_id`, `doc_hash` (since 0.4.3), `filter` and `metrics` (newer),
and the document's score under each metric's name (lm_eval/result_schema.py, SampleResult). Before 0.4.3 the
file is one JSON array.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headstart.analysis.item_files.base import ItemFile
from headstart.analysis.item_files.fields import check_kind, take_field
from headstart.analysis.item_files.item_table import ItemTable, ItemTableBuilder
from headstart.analysis.item_files.json_files import read_first_object, read_objects
from headstart.analysis.item_files.names import NameColumnBuilder
from headstart.data.row_table import PlaceColumnBuilder
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
        documents = _Documents()
        for where, sample in read_objects(file):
            documents.add(where, _keep_scores(sample, where))
        found = _FILE.fullmatch(file.name)
        return ItemFile(
            file,
            documents.build(),
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


class _Documents:
    """One row for each document, with the metrics of all filters."""

    def __init__(self) -> None:
        self._builder, self._wheres = ItemTableBuilder(), PlaceColumnBuilder()
        self._places: dict[int | str, int] = {}
        self._hashes: list[str | None] = []
        #: By filter and document, which sample it is.
        self._seen: dict[object, array[int]] = {}
        self._count = 0

    def add(self, where: str, sample: Mapping[str, Any]) -> None:
        """One sample: a document's scores by one filter.

        Raises:
            DataError: the document was there with this filter.
        """
        given = sample.get("filter")
        scores = ((f"{name}\0{given}", value) for name, value in sample["scores"].items())
        place = self._places.get(sample["doc_id"])
        if place is None:
            place = self._builder.add(where, "", scores, group=sample.get("doc_hash"))
            self._places[sample["doc_id"]] = place
            self._hashes.append(sample.get("doc_hash"))
        else:
            self._builder.add_values(place, scores)
        self._note(place, given, where, sample["doc_id"])

    def _note(self, place: int, given: object, where: str, document: object) -> None:
        seen = self._seen.setdefault(given, array("q"))
        seen.extend([-1] * (place + 1 - len(seen)))
        if seen[place] >= 0:
            raise DataError(
                f"document {document} appears twice, first at {self._wheres.build()[seen[place]]}",
                where=where,
                expected="each document once per filter (newer files record the filter)",
                fix="two runs were written to one file: keep only one, or run lm_eval again",
            )
        seen[place] = self._count
        self._wheres.add(where)
        self._count += 1

    def build(self) -> ItemTable:
        """The documents; metrics of several filters are called `exact_match,strict-match`."""
        has_several = len(self._seen) > 1
        return self._builder.build(
            self._name_documents(),
            lambda name: ",".join(name.rsplit("\0", 1)) if has_several else name.rsplit("\0", 1)[0],
        )

    def _name_documents(self) -> NameColumnBuilder:
        """By place; documents of equal content are numbered in the order of their ids."""
        ordered = sorted(self._places, key=lambda doc_id: (isinstance(doc_id, str), doc_id))
        counts: dict[str, int] = {}
        for doc_id in ordered:
            place = self._places[doc_id]
            known = self._hashes[place]
            name = f"doc {doc_id}" if known is None else known
            count = counts[name] = counts.get(name, 0) + 1
            self._hashes[place] = name if count == 1 else f"{name}#{count}"
        names = NameColumnBuilder()
        for named in self._hashes:
            names.add(named)
        return names


LM_EVAL: Final = LmEvalReader()
