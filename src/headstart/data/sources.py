"""Finds the rows a study's `data` section names, wherever they lie; leaves judging them to `checks`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from headstart.config.study import Data
from headstart.config.traits import TaskName
from headstart.data.assets import fetch_data
from headstart.data.conversations import conversation_of
from headstart.data.corpus import PARTS, Part, Row, Text
from headstart.data.formats import Cells, cell_of, read_cells
from headstart.errors import DataError, MissingExtraError

#: Names that public data sets give to the validation part.
_HUB_PARTS: dict[Part, tuple[str, ...]] = {
    "train": ("train",),
    "valid": ("validation", "valid", "dev"),
    "test": ("test",),
}


def load_rows(data: Data, task: TaskName = "classification") -> dict[Part, list[Row]]:
    """The rows of each part that the study names; parts that it does not name are absent.

    Raises:
        DataError: a file is absent or unreadable, or a column is not in it.
    """
    if data.hub is not None:
        return {part: _rows(cells, data, task) for part, cells in _hub(data).items()}
    if data.asset is not None:
        return {"train": _rows(fetch_data(data.asset), data, task, group="group")}
    paths = {"train": data.train or data.path, "valid": data.valid, "test": data.test}
    return {
        part: _rows(read_cells(Path(path), _all_columns(data, task)), data, task)
        for part in PARTS
        if (path := paths[part]) is not None
    }


def columns(data: Data, task: TaskName = "classification") -> tuple[str, ...]:
    """The columns that the study reads: texts, then labels."""
    if task == "instruction":
        return (data.prompt, data.response) if data.messages is None else (data.messages,)
    return (*text_columns(data), *((data.label,) if isinstance(data.label, str) else data.label))


def _all_columns(data: Data, task: TaskName) -> tuple[str, ...]:
    """`columns`, and that of the groups: each has its file where files stand in parallel."""
    group = data.split.group
    own = columns(data, task)
    return own if group is None else tuple(dict.fromkeys((*own, group)))


def text_columns(data: Data) -> tuple[str, ...]:
    """The one or two columns of text."""
    return (data.text,) if isinstance(data.text, str) else data.text


def _rows(cells: Iterable[Cells], data: Data, task: TaskName, group: str | None = None) -> list[Row]:
    group = data.split.group or group
    return [_row(i, where, found, data, task, group) for i, (where, found) in enumerate(cells)]


def _row(index: int, where: str, cells: dict[str, Any], data: Data, task: TaskName, group: str | None) -> Row:
    talks = task == "instruction"
    return Row(
        id=index,
        where=where,
        text=conversation_of(cells, data, where) if talks else text_of(cells, data.text, where),
        label=None if talks else _label(cells, data, where),
        group=None if group is None else _group(cells, group, where),
    )


def _label(cells: dict[str, Any], data: Data, where: str) -> Any:
    if isinstance(data.label, str):
        return cell_of(cells, data.label, where, "data.label")
    return {column: cell_of(cells, column, where, "data.label") for column in data.label}


def _group(cells: dict[str, Any], column: str, where: str) -> str:
    value = cell_of(cells, column, where, "data.split.group")
    if value is None or value != value or not str(value).strip():
        raise DataError(
            f"no group (empty, null or NaN) in column {column!r}",
            where=where,
            expected="the name of what must not stand in two parts",
            fix="name each such row by itself, or unset data.split.group",
        )
    return str(value)


def text_of(cells: dict[str, Any], column: str | tuple[str, str], where: str, key: str = "data.text") -> Text:
    """The text, or pair of texts, of one row; `key` is what the user sets to name another column.

    Raises:
        DataError: a column is absent, or a cell holds no text.
    """
    if isinstance(column, str):
        return _string(cell_of(cells, column, where, key), column, where)
    first, second = (_string(cell_of(cells, c, where, key), c, where) for c in column)
    return first, second


def _string(value: Any, column: str, where: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise DataError(f"no text (null or NaN) in column {column!r}", where=where, expected="a text")
    if not isinstance(value, str):
        raise DataError(f"{value!r} in column {column!r}", where=where, expected="a text")
    if not value.strip():
        raise DataError(
            f"empty text in column {column!r}", where=where, expected="a text", fix="remove the row"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half a character, as where an emoji was cut; no tokenizer and no hash takes it.
        raise DataError(
            f"half a character in column {column!r}", where=where, expected="whole ones"
        ) from error
    return value


def _hub(data: Data) -> dict[Part, Iterator[Cells]]:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("datasets", "hub", "data.hub") from error
    try:
        loaded = datasets.load_dataset(data.hub, data.subset, revision=data.revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"cannot be loaded: {(str(error).splitlines() or [type(error).__name__])[0]}",
            where=f"data.hub: {data.hub}",
            expected="the id of a data set on the hub (HF_HUB_OFFLINE unset), or a folder that holds one",
        ) from error
    found = {
        part: next((name for name in names if name in loaded), None) for part, names in _HUB_PARTS.items()
    }
    if found["train"] is None:
        raise DataError(
            f"no part 'train' among {', '.join(loaded)}",
            where=f"data.hub: {data.hub}",
            expected="a part train",
        )
    return {part: _hub_cells(loaded[name], f"{data.hub}/{name}") for part, name in found.items() if name}


def _hub_cells(table: Any, name: str) -> Iterator[Cells]:
    """Rows with class indices turned into the names that the data set gives them."""
    named = {c: f for c, f in table.features.items() if hasattr(f, "int2str")}
    for i, cells in enumerate(table):
        names = {c: f.int2str(cells[c]) for c, f in named.items() if cells[c] is not None and cells[c] >= 0}
        yield f"{name} row {i + 1}", {**cells, **names}
