"""Finds one JSON object that holds a whole table, as pandas and others write, in place of one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from headstart.data.lines import make_rewrite
from headstart.errors import DataError

_EXPECTED: Final = "one object per line, or one list of objects"
#: What files call the key of their rows.
_ROW_KEYS: Final = (
    "data",
    "rows",
    "examples",
    "items",
    "records",
    "results",
    "instances",
    "train",
    "samples",
)


def check_row(cells: Mapping[str, Any], path: Path, where: str) -> None:
    """Refuse the only object of a file where it is a table: rows below a key, or cells by column or by row.

    Raises:
        DataError: says which, and what makes rows of it.
    """
    found = _explain(cells, path)
    if found is not None:
        got, fix = found
        raise DataError(got, where=where, expected=_EXPECTED, fix=fix)


def _explain(cells: Mapping[str, Any], path: Path) -> tuple[str, str] | None:
    """What the object holds, and the way to rows; None where it may be a row."""
    if {"columns", "data"} <= cells.keys() <= {"columns", "index", "data"}:
        return "one object that holds columns and data", _name_pandas(path, ", orient='split'")
    values = [*cells.values()]
    if len(values) > 1 and _are_alike_objects(values):
        by_row = all(key.isdigit() for key in cells)
        return "one object of objects, a table", _name_pandas(path, ", orient='index'" if by_row else "")
    if len(values) > 1 and all(map(_is_column, values)) and len({len(value) for value in values}) == 1:
        return "one object of lists, a table by columns", _name_pandas(path)
    key = next((key for key in _ROW_KEYS if _is_rows(cells.get(key))), None)
    if key is not None:
        way = make_rewrite(path, f"jq -c '.{key}[]' {{file}} > rows.jsonl")
        return f"one object with rows below {key!r}", way
    return None


def _name_pandas(path: Path, more: str = "") -> str:
    read = f"read_json({path.name!r}{more})"
    return f"with pandas: {read}.to_json('rows.jsonl', orient='records', lines=True)"


def _are_alike_objects(values: Sequence[object]) -> bool:
    """Whether all are objects with the same keys."""
    objects = [frozenset(value) for value in values if isinstance(value, Mapping) and value]
    return len(objects) == len(values) and len(set(objects)) == 1


def _is_column(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and not any(isinstance(v, list | dict) for v in value)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(row, dict) for row in value)
