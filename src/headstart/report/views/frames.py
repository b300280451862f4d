"""Tables of results as pandas data frames, where pandas is installed: it is needed for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from headstart.errors import HeadstartError

if TYPE_CHECKING:
    import pandas

#: The values of a row by column.
Row = Mapping[str, Any]
#: Makes the rows of one table of a result.
MakeRows = Callable[[Any], Iterable[Row]]


def make_frame(result: object, tables: Mapping[str, MakeRows], table: str | None) -> pandas.DataFrame:
    """A table of the result, the first by default; columns in the order in which rows first have them.

    Raises:
        HeadstartError: pandas is not installed, or there is no such table.
    """
    name = next(iter(tables), None) if table is None else table
    if name is None or name not in tables:
        raise HeadstartError(
            f"no table {name!r}" if name else "has no table",
            where=f"{type(result).__name__}.frame",
            expected=f"one of {', '.join(tables)}" if tables else "a result with tables",
        )
    try:
        import pandas
    except ImportError:
        raise HeadstartError(
            "pandas is not installed", where=f"{type(result).__name__}.frame", fix="pip install pandas"
        ) from None
    rows = list(tables[name](result))
    columns = dict.fromkeys(column for row in rows for column in row)
    return pandas.DataFrame(rows, columns=list(columns))


def dump_row(record: BaseModel, *, without: Sequence[str] = ()) -> Row:
    """A record as a row: the columns of a part are called `<part>_<column>`, and all null where it is."""
    parts = {name: _find_part(info.annotation) for name, info in type(record).model_fields.items()}
    values = record.model_dump(exclude=set(without))
    return flatten_row(
        {
            name: dict.fromkeys(part.model_fields) if value is None and (part := parts[name]) else value
            for name, value in values.items()
        }
    )


def _find_part(annotation: Any) -> type[BaseModel] | None:
    """The kind of record that a field of this type holds, if any."""
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def flatten_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of mappings beside the others, each with the name of what it is part of before its own."""
    row: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            row |= {f"{name}_{inner}": of_inner for inner, of_inner in flatten_row(value).items()}
        else:
            row[name] = value
    return row
