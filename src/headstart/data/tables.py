"""Adds columns to a file of rows, a chunk at a time: same format out, whole or not at all.

Refuses another format than the source's, and columns that are there already.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.data.arrow_cells import append_columns
from headstart.data.delimited import read_header
from headstart.data.formats import Cells, read_cells, read_parquet_batches, refuse_format
from headstart.data.json_rows import holds_list
from headstart.errors import DataError
from headstart.files import write_file_atomically
from headstart.os_faults import check_lookup

#: Rows read and written at once.
CHUNK = 2048
_JSON = (".jsonl", ".ndjson", ".json")
_FORMATS = (".csv", ".tsv", ".parquet", *_JSON)
#: fairseq's binarised texts, which are only read, and what may be written of them.
_BINARISED, _OF_BINARISED = ".idx", (".csv", ".tsv", ".jsonl")
_Rows = list[dict[str, Any]]


def check_formats(source: Path, target: Path) -> None:
    """See that both are of one format that can be written, and that they are two.

    Of fairseq's binarised texts a table is written.

    Raises:
        DataError: they are not.
    """
    for path in (source, target):
        check_lookup(path)
    if target.exists() and source.exists() and target.samefile(source):
        raise DataError(
            "the output is the input itself",
            where=str(target),
            expected="another file: a study refuses data that changed",
        )
    suffix = source.suffix.lower()
    if suffix not in (*_FORMATS, _BINARISED):
        raise refuse_format(source, _FORMATS)
    written = _OF_BINARISED if suffix == _BINARISED else (suffix,)
    if target.suffix.lower() not in written:
        raise DataError(
            f"output {target.name} for input {source.name}",
            where=str(target),
            expected=f"one of {', '.join(written)}"
            if len(written) > 1
            else f"the same format: {source.suffix}",
        )


def add_columns(
    source: Path,
    target: Path,
    make: Callable[[list[Cells]], _Rows],
    fields: Callable[[], Sequence[pa.Field]],
    separator: str = ",",
) -> int:
    """Write `source` with what `make` gives for each chunk of its rows to `target`; gives their number.

    Args:
        fields: the new columns, for Parquet; asked after the first chunk was made.
        separator: between the cells of CSV, in both files.

    Raises:
        DataError: a file that cannot be read, or columns that are there already.
        MachineError: `target` cannot be written.
    """
    if source.suffix.lower() == ".parquet":
        return _add_to_parquet(source, target, make, fields)
    chunks = _read_chunks(iter(read_cells(source, separator=separator)))
    first: list[Cells] = next(chunks, [])  # of no rows `make` still says what it would add
    rows = _join_columns(first, make(first))
    header = (
        []
        if rows or source.suffix.lower() in (*_JSON, _BINARISED)
        else _extend_header(source, fields(), separator)
    )
    with _open_writer(source, target, separator, header) as write:
        if rows:
            write(rows)
        count = len(rows)
        for chunk in chunks:
            write(_join_columns(chunk, make(chunk)))
            count += len(chunk)
        return count


def _add_to_parquet(
    source: Path, target: Path, make: Callable[[list[Cells]], _Rows], fields: Callable[[], Sequence[pa.Field]]
) -> int:
    """The columns of the source stay what they were, to the last bit: they become no values of Python's."""
    batches = read_parquet_batches(source, CHUNK)
    first = next(batches, None)
    added = _make_columns(first[1] if first else [], make)
    with write_file_atomically(target) as temporary:
        read = pq.read_schema(source)  # with what pandas notes there, such as which column is the index
        schema = pa.schema([*read, *fields()], metadata=read.metadata)
        with pq.ParquetWriter(temporary, schema) as parquet:
            count = 0
            for batch, cells in chain([first] if first else [], batches):
                rows = added if count == 0 else _make_columns(cells, make)
                parquet.write_table(append_columns(batch, rows, schema))
                count += len(cells)
            return count


def _extend_header(source: Path, fields: Sequence[pa.Field], separator: str) -> list[str]:
    """The columns that a table without rows has, and those that it gets; none of an empty file."""
    header, names = read_header(source, separator), [field.name for field in fields]
    if header:
        _check_names([(f"{source}:1", dict.fromkeys(header))], [dict.fromkeys(names)])
    return [*header, *names] if header else []


def _make_columns(chunk: list[Cells], make: Callable[[list[Cells]], _Rows]) -> _Rows:
    """What is added to these rows."""
    added = make(chunk)
    _check_names(chunk, added)
    return added


def _read_chunks(rows: Iterator[Cells]) -> Iterator[list[Cells]]:
    for row in rows:
        yield list(islice(chain([row], rows), CHUNK))


def _join_columns(chunk: list[Cells], added: _Rows) -> _Rows:
    _check_names(chunk, added)
    return [{**cells, **more} for (_, cells), more in zip(chunk, added, strict=True)]


def _check_names(chunk: list[Cells], added: _Rows) -> None:
    for where, cells in chunk:
        clash = sorted(cells.keys() & added[0].keys())
        if clash:
            raise DataError(
                f"column {clash[0]!r} already exists",
                where=where,
                expected="an unused name",
                fix="rename it",
            )


@contextmanager
def _open_writer(
    source: Path, target: Path, separator: str, header: Sequence[str]
) -> Iterator[Callable[[_Rows], None]]:
    """A function that appends rows to what becomes `target` when all is written.

    Args:
        header: of a table without rows, which else comes with the first of them.
    """
    with (
        write_file_atomically(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        if target.suffix.lower() not in _JSON:
            yield _make_delimited_writer(file, target, separator, header)
        elif source.suffix.lower() in _JSON and holds_list(source):
            yield from _write_json_list(file)
        else:
            yield lambda rows: file.writelines(_format_json(row) + "\n" for row in rows)


def _write_json_list(file: Any) -> Iterator[Callable[[_Rows], None]]:
    """A function that appends rows to a list, which ends when the caller is done."""
    before = "[\n"

    def write(rows: _Rows) -> None:
        nonlocal before
        for row in rows:
            file.write(before + _format_json(row))
            before = ",\n"

    yield write
    file.write("[]\n" if before == "[\n" else "\n]\n")


def _format_json(row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    # Half a character, which a file cannot hold, was an escape in the file that it comes from.
    return text if text.isascii() or _is_encodable(text) else json.dumps(row)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _make_delimited_writer(
    file: Any, target: Path, separator: str, header: Sequence[str]
) -> Callable[[_Rows], None]:
    """CSV, or TSV; several labels of one text are joined by `|`."""
    writer = (
        csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        if target.suffix.lower() == ".tsv"
        else csv.writer(_UnixLines(file), delimiter=separator, lineterminator="\r\n")
    )
    has_header = bool(header)
    if header:
        writer.writerow(header)

    def write(rows: _Rows) -> None:
        nonlocal has_header
        if not has_header:
            writer.writerow(rows[0])
            has_header = True
        writer.writerows([_format_cell(value) for value in row.values()] for row in rows)

    return write


class _UnixLines:
    """A file whose rows come with CR and LF, and end with LF.

    `csv` puts quotation marks round what holds a character of its line end alone: with LF for one it would
    write a bare CR, which nobody can read back.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, row: str) -> None:
        """Append one row."""
        self._file.write(row.removesuffix("\r\n") + "\n")


def _format_cell(value: Any) -> Any:
    return "|".join(map(str, value)) if isinstance(value, list) else value
