"""Reads details of lighteval, `details/<model>/<date>/details_<task>_<date>.parquet` of `--save-details`.

A row is a document. Since 0.11 it has the structs `doc`, `model_response` and `metric`, by the documentation
`__doc__` and `__metric__`; before, `example` and `metrics` (lighteval/logging/info_loggers.py, Detail).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.analysis.item_files.base import ItemFile, hash_text
from headstart.analysis.item_files.fields import check_kind
from headstart.analysis.item_files.item_table import ItemTable, ItemTableBuilder
from headstart.data.formats import Cells
from headstart.errors import DataError
from headstart.os_faults import reading

_DATE: Final = r"\d{4}-\d\d-\d\dT[\d.-]+"
_FILE: Final = re.compile(rf"details_(?P<task>.+)_{_DATE}\.parquet")
_METRICS: Final = ("metric", "__metric__", "metrics", "__metrics__")
_DOCUMENTS: Final = ("doc", "__doc__", "example", "__example__")


class LightevalReader:
    """Items are documents, known by a digest of query and choices: files give them no other identity."""

    description = "details of lighteval (details_TASK_DATE.parquet)"

    def recognises(self, file: Path) -> bool:
        """By columns of documents and of metrics."""
        if file.suffix.lower() != ".parquet":
            return False
        try:
            names = pq.read_schema(file).names
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            return False
        return bool(set(names) & set(_METRICS)) and bool(set(names) & set(_DOCUMENTS))

    def read(self, file: Path) -> ItemFile:
        """As `ItemReader`."""
        found = _FILE.fullmatch(file.name)
        return ItemFile(
            file, _merge_rows(_read_rows(file)), arm=_name_model(file), task=found["task"] if found else None
        )


def _read_rows(file: Path) -> Iterator[Cells]:
    """Only the columns that are needed: answers and tokens are large."""
    try:
        with reading(file):
            parquet = pq.ParquetFile(file)
            names = [name for name in (*_METRICS, *_DOCUMENTS) if name in parquet.schema_arrow.names]
            number = 0
            for batch in parquet.iter_batches(columns=names):
                for cells in batch.to_pylist():
                    number += 1
                    yield f"{file} row {number}", cells
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"not Parquet: {error}", where=str(file)) from error


def _identify_document(cells: Mapping[str, Any]) -> str:
    document = next(cells[name] for name in _DOCUMENTS if name in cells)
    if isinstance(document, dict):
        return hash_text(document.get("query"), document.get("choices"))
    return hash_text(document)


def _read_metrics(cells: Mapping[str, Any], where: str) -> dict[str, object]:
    """Those that the row has: all rows of a file have the struct's names."""
    found = next(name for name in _METRICS if name in cells)
    metrics = check_kind(cells[found] or {}, dict, found, where)
    return {name: value for name, value in metrics.items() if value is not None}


def _merge_rows(rows: Iterator[Cells]) -> ItemTable:
    """One for each document, which has a row for each way of asking the model, each with its own metrics.

    A document that comes again with the same metrics is another of equal content.
    """
    builder = ItemTableBuilder()
    places: dict[str, int] = {}
    counts: dict[tuple[str, ...], int] = {}
    for where, cells in rows:
        text, values = _identify_document(cells), _read_metrics(cells, where)
        asked = (text, *sorted(values))
        count = counts[asked] = counts.get(asked, 0) + 1
        item = text if count == 1 else f"{text}#{count}"
        if item in places:
            builder.add_values(places[item], values.items())
        else:
            places[item] = builder.add(where, item, values.items(), group=text)
    return builder.build()


def _name_model(file: Path) -> str:
    """The folder above the run's, with its organisation's where the folders are lighteval's own."""
    folders = file.resolve().parent.parts
    if re.fullmatch(_DATE, folders[-1]):
        folders = folders[:-1]
    if "details" in folders[:-1]:
        return "/".join(folders[folders.index("details") + 1 :])
    return folders[-1]


LIGHTEVAL: Final = LightevalReader()
