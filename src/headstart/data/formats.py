"""Reads one file, or one folder of files, into table rows; knows formats, and nothing of studies.

Formats: CSV, TSV, JSON Lines, Parquet, parallel plain files (`stem.review` + `stem.label`), and a folder
with one sub-folder of `.txt` files for each class. Text that is not UTF-8 is refused by file and line.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from headstart.errors import DataError

#: `file:line` (or `file row n`) and the cells by column name.
Cells = tuple[str, dict[str, Any]]
TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json"})
SUFFIXES = TEXT_SUFFIXES | {".parquet"}
_CELL_LIMIT = 2**31 - 1


def get_cell(cells: Mapping[str, Any], column: str, where: str, key: str) -> Any:
    """One row's cell; `key` is what the user sets to name another column.

    Raises:
        DataError: there is no such column.
    """
    if column not in cells:
        raise DataError(
            f"no column {column!r}",
            where=where,
            expected=f"one of the columns there: {', '.join(map(str, cells))}",
            fix=f"set {key}",
        )
    return cells[column]


def read_cells(path: Path, columns: tuple[str, ...] = ()) -> Iterator[Cells]:
    """The rows of the file or folder at `path`.

    `columns` names the suffixes of parallel plain files, where `path` is their common stem.

    Raises:
        DataError: nothing is there, its format is unknown, or a line of it cannot be read.
    """
    if path.is_dir():
        return _read_class_folders(path)
    if path.is_file():
        return _choose_reader(path)(path)
    if columns and all(_locate_parallel(path, column).is_file() for column in columns):
        return _read_parallel_files(path, columns)
    raise DataError("no such file or folder", where=str(path), expected=_describe_expected(path, columns))


def _describe_expected(path: Path, columns: tuple[str, ...]) -> str:
    kinds = "a .csv, .tsv, .jsonl or .parquet file, or a folder with one sub-folder for each class"
    stems = " + ".join(_locate_parallel(path, column).name for column in columns)
    return f"{kinds}, or the parallel files {stems}" if stems else kinds


def _choose_reader(path: Path) -> Callable[[Path], Iterator[Cells]]:
    readers = {".csv": _read_csv, ".tsv": _read_tsv, ".parquet": _read_parquet}
    lines = dict.fromkeys((".jsonl", ".ndjson", ".json"), _read_json_lines)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"unknown format {suffix or '(no suffix)'}",
            where=str(path),
            expected=f"one of {', '.join(sorted(SUFFIXES))}",
        )
    return {**readers, **lines}[suffix]


def read_raw_lines(path: Path) -> Iterator[str]:
    """The file's lines as they come, line ends kept, a byte-order mark dropped; never the whole file at once.

    The line of the first undecodable byte is named.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                yield _decode_line(raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw, path, number)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _decode_line(raw: bytes, path: Path, line: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            where=f"{path}:{line}",
            expected="UTF-8 text",
            fix=f"if it is Latin-1: iconv -f latin1 -t utf8 {path.name} > utf8-{path.name}",
        ) from error


def _read_lines(path: Path) -> Iterator[str]:
    """The file's lines without their ends, LF or CRLF."""
    # Not splitlines(): a text may hold U+2028 and other characters that it takes for line ends.
    return (line.removesuffix("\n").removesuffix("\r") for line in read_raw_lines(path))


def _read_csv(path: Path) -> Iterator[Cells]:
    csv.field_size_limit(_CELL_LIMIT)
    reader = csv.reader(read_raw_lines(path), strict=True)
    try:
        header = next(reader, [])
        start = reader.line_num + 1
        for values in reader:
            # A quoted cell may span lines: a row stands where the one before it ended.
            where, start = f"{path}:{start}", reader.line_num + 1
            if values:
                yield where, _make_row(header, values, where)
    except csv.Error as error:
        raise DataError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def _make_row(header: list[str], values: list[str], where: str) -> dict[str, Any]:
    if len(values) != len(header):
        raise DataError(f"{len(values)} cells, the header has {len(header)}", where=where)
    return dict(zip(header, values, strict=True))


def _read_tsv(path: Path) -> Iterator[Cells]:
    # Tab-separated corpora hold bare quotation marks: quoting is a habit of CSV.
    lines = _read_lines(path)
    header = next(lines, "").split("\t")
    for number, line in enumerate(lines, start=2):
        where = f"{path}:{number}"
        yield where, _make_row(header, line.split("\t"), where)


def _read_json_lines(path: Path) -> Iterator[Cells]:
    for number, line in enumerate(_read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except json.JSONDecodeError as error:
            if number == 1 and line.lstrip().startswith("["):
                raise _explain_array(path) from error
            raise DataError(f"not JSON: {error.msg}", where=f"{path}:{number}") from error
        if number == 1 and isinstance(cells, list) and path.suffix.lower() == ".json":
            raise _explain_array(path)
        if not isinstance(cells, dict):
            raise DataError(
                f"a JSON {type(cells).__name__}", where=f"{path}:{number}", expected="one object a line"
            )
        yield f"{path}:{number}", cells


def _explain_array(path: Path) -> DataError:
    return DataError(
        "one JSON array, not lines",
        where=str(path),
        expected="one object a line (JSON Lines)",
        fix=f"jq -c '.[]' {path.name} > {path.stem}.jsonl",
    )


def _read_parquet(path: Path) -> Iterator[Cells]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches():
            for cells in batch.to_pylist():
                number += 1
                yield f"{path} row {number}", cells
    except (pa.ArrowException, OSError) as error:  # OSError: damage behind an intact footer
        raise DataError(f"not Parquet: {error}", where=str(path)) from error


def has_parallel(stem: Path, column: str) -> bool:
    """Whether the parallel plain files of `stem` have one of this column."""
    return _locate_parallel(stem, column).is_file()


def _locate_parallel(stem: Path, column: str) -> Path:
    return stem.with_name(f"{stem.name}.{column}")


def _read_parallel_files(stem: Path, columns: tuple[str, ...]) -> Iterator[Cells]:
    files = [_locate_parallel(stem, column) for column in columns]
    texts = [list(_read_lines(file)) for file in files]
    lengths = {file.name: len(lines) for file, lines in zip(files, texts, strict=True)}
    if len(set(lengths.values())) > 1:
        unequal = ", ".join(f"{name} has {count} lines" for name, count in lengths.items())
        raise DataError(unequal, where=str(stem), expected="parallel files of the same length")
    for number, values in enumerate(zip(*texts, strict=True), start=1):
        yield f"{files[0]}:{number}", dict(zip(columns, values, strict=True))


def _read_class_folders(folder: Path) -> Iterator[Cells]:
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [(c.name, file) for c in classes for file in sorted(c.glob("*.txt"))]
    if not files:
        raise DataError(
            "no class folders with .txt files in it",
            where=str(folder),
            expected="one sub-folder for each class, its name the label, with one .txt file for each text",
        )
    for label, file in files:
        yield str(file), {"text": "".join(read_raw_lines(file)).strip(), "label": label}
