"""Reads one file, one folder of files, or the files of a pattern, into table rows; knows nothing of studies.

Formats: CSV, TSV, JSON Lines or one JSON list, Parquet, parallel plain files (`stem.review` + `stem.label`),
and a folder with one sub-folder of `.txt` files for each class. Text that is not UTF-8 is refused by line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headstart.data.delimited import read_csv, read_tsv
from headstart.data.folders import find_parts, is_pattern, list_data_files, list_entries, list_matches
from headstart.data.json_rows import read_json
from headstart.data.labels.alike import name_alike
from headstart.data.lines import check_pointer, make_rewrite, read_lines, read_raw_lines, require_file
from headstart.errors import DataError
from headstart.os_faults import check_lookup, reading

if TYPE_CHECKING:
    import pyarrow as pa

#: `file:line` (or `file row n`) and the cells by column name.
Cells = tuple[str, dict[str, Any]]
TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json"})
SUFFIXES = TEXT_SUFFIXES | {".parquet"}
#: Columns that an error lists.
_NAMES_SHOWN: Final = 20
#: What makes a readable file of one that is none, by its suffix.
_WAYS: Final = {
    ".gz": "gunzip -k {file}",
    ".bz2": "bunzip2 -k {file}",
    ".xz": "xz -dk {file}",
    ".zst": "zstd -d {file}",
    ".zip": "unzip {file}",
    ".tar": "tar xf {file}",
    ".tgz": "tar xf {file}",
    ".xlsx": "save the sheet as CSV (UTF-8)",
    ".xls": "save the sheet as CSV (UTF-8)",
    ".ods": "save the sheet as CSV (UTF-8)",
    ".arrow": "with datasets: load_from_disk(FOLDER).to_parquet('data.parquet')",
    ".pkl": "with pandas: read_pickle({file!r}).to_parquet('data.parquet')",
    ".pickle": "with pandas: read_pickle({file!r}).to_parquet('data.parquet')",
    ".feather": "with pandas: read_feather({file!r}).to_parquet('data.parquet')",
    ".py": "a script is never run; with datasets before 4, where you trust it: "
    "load_dataset({file!r}, trust_remote_code=True)['train'].to_parquet('train.parquet')",
    ".tab": "name it .tsv",
    ".txt": "name it .tsv where tabs separate its columns, .csv where commas do",
}


def get_cell(cells: Mapping[str, Any], column: str, where: str, key: str) -> Any:
    """One row's cell; `key` is what the user sets to name another column.

    Raises:
        DataError: there is no such column.
    """
    if column not in cells:
        raise DataError(
            f"no column {column!r}",
            where=where,
            expected=f"one of the columns: {_list_names([*cells])}",
            fix=_suggest_column(column, cells, key),
        )
    return cells[column]


def _list_names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(map(_show_name, names[:_NAMES_SHOWN])) + more


def _suggest_column(column: str, cells: Iterable[str], key: str) -> str:
    """What to set, or to write in the header where a name there differs in what hardly shows."""
    alike = name_alike(column, cells)
    if alike is None:
        return f"set {key}"
    if _show_name(alike) == alike:
        return f"set {key} to {alike}"
    return f"write {column!r} for {alike!r} in the header; or set {key} to {alike!r}"


def _show_name(name: str) -> str:
    """A column's name, in quotation marks where it has spaces or marks that do not show."""
    return name if name.isprintable() and name == name.strip() and name else repr(name)


def read_cells(path: Path, columns: tuple[str, ...] = (), separator: str = ",") -> Iterator[Cells]:
    """The rows of the file or folder at `path`, or of all files of a pattern such as `train-*.parquet`.

    `columns` names the suffixes of parallel plain files, where `path` is their common stem; `separator`
    stands between the cells of CSV.

    Raises:
        DataError: nothing is there, its format is unknown, or a line of it cannot be read.
    """
    check_lookup(path)
    if path.is_dir():
        return _read_folder(path, separator)
    require_file(path)
    if path.suffix.lower() == ".idx" and path.exists():
        return _read_binarised(path)
    if path.exists():
        return _choose_reader(path, separator)(path)
    if columns and all(_locate_parallel(path, column).is_file() for column in columns):
        return _read_parallel_files(path, columns)
    if is_pattern(path):
        return read_files(list_matches(path), separator)
    raise DataError("no such file or folder", where=str(path), expected=_describe_expected(path, columns))


def read_files(paths: Iterable[Path], separator: str = ",") -> Iterator[Cells]:
    """The rows of one file or folder after the other.

    Raises:
        DataError: as `read_cells`.
    """
    for path in paths:
        yield from read_cells(path, separator=separator)


def _describe_expected(path: Path, columns: tuple[str, ...]) -> str:
    kinds = "a .csv, .tsv, .jsonl, .json or .parquet file, or a folder with one sub-folder for each class"
    stems = " + ".join(_locate_parallel(path, column).name for column in columns)
    return f"{kinds}, or the parallel files {stems}" if stems else kinds


def _choose_reader(path: Path, separator: str) -> Callable[[Path], Iterator[Cells]]:
    readers: dict[str, Callable[[Path], Iterator[Cells]]] = {
        ".csv": partial(read_csv, separator=separator),
        ".tsv": read_tsv,
        ".parquet": _read_parquet,
        **dict.fromkeys((".jsonl", ".ndjson", ".json"), read_json),
    }
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise refuse_format(path, SUFFIXES)
    return readers[suffix]


def refuse_format(path: Path, known: Iterable[str]) -> DataError:
    """What to say of a file whose suffix is none of the known ones."""
    suffix = path.suffix.lower()
    way = _WAYS.get(suffix)
    return DataError(
        f"unknown format {suffix or '(no suffix)'}",
        where=str(path),
        expected=f"one of {', '.join(sorted(known))}",
        fix=None if way is None else make_rewrite(path, way),
    )


def _read_binarised(path: Path) -> Iterator[Cells]:
    # Here, as these rows are made of files of lines, which are read as others are.
    from headstart.data.fairseq.folder import open_index

    return open_index(path)


def _read_parquet(path: Path) -> Iterator[Cells]:
    for _, rows in read_parquet_batches(path):
        yield from rows


def read_parquet_batches(
    path: Path, size: int = 8192, column: str | None = None
) -> Iterator[tuple[pa.RecordBatch, list[Cells]]]:
    """The batches of so many rows of a Parquet file, each with its rows.

    Args:
        column: the only one to read, where the file has it.

    Raises:
        DataError: it is none, is damaged, or has a column twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from headstart.data.arrow_cells import read_arrow

    number = 0
    require_file(path)
    try:
        with reading(path):
            with path.open("rb") as head:
                check_pointer(head.read(64), path)
            file = pq.ParquetFile(path)
            _check_names(file.schema_arrow.names, path)
            columns = [column] if column in file.schema_arrow.names else None
            for batch in file.iter_batches(size, columns=columns):
                rows = read_arrow(batch)
                yield batch, [(f"{path} row {number + i}", cells) for i, cells in enumerate(rows, start=1)]
                number += len(rows)
    # OSError: damage behind an intact footer; UnicodeDecodeError: in the name of a column.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"not Parquet: {error}", where=str(path)) from error


def _check_names(names: list[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"column {twice[0]!r} appears twice",
            where=str(path),
            expected="a unique name for each column",
            fix="rename or remove one",
        )


def has_parallel(stem: Path, column: str) -> bool:
    """Whether the parallel plain files of `stem` have one of this column."""
    return _locate_parallel(stem, column).is_file()


def _locate_parallel(stem: Path, column: str) -> Path:
    return stem.with_name(f"{stem.name}.{column}")


def _read_parallel_files(stem: Path, columns: tuple[str, ...]) -> Iterator[Cells]:
    files = [_locate_parallel(stem, column) for column in columns]
    texts = [list(read_lines(file)) for file in files]
    lengths = {file.name: len(lines) for file, lines in zip(files, texts, strict=True)}
    if len(set(lengths.values())) > 1:
        unequal = ", ".join(f"{name} has {count} lines" for name, count in lengths.items())
        raise DataError(unequal, where=str(stem), expected="parallel files of the same length")
    for number, values in enumerate(zip(*texts, strict=True), start=1):
        yield f"{files[0]}:{number}", dict(zip(columns, values, strict=True))


def _read_folder(folder: Path, separator: str) -> Iterator[Cells]:
    """The rows of a folder of classes, or of data files that belong together."""
    parts = find_parts(folder, SUFFIXES)
    if len(parts) > 1:
        raise DataError(
            f"parts {', '.join(parts)} in it",
            where=str(folder),
            expected="the texts of one part",
            fix=f"data: {{path: {folder.name}}} reads each part; or name one: {folder.name}/train*",
        )
    texts = _list_class_texts(folder)
    script = folder / f"{folder.resolve().name}.py"
    if not texts and not parts and script.is_file() and not list_data_files(folder, SUFFIXES):
        raise refuse_format(script, SUFFIXES)
    files = parts.get("train") or ([] if texts else list_data_files(folder, SUFFIXES))
    return read_files(files, separator) if files else _read_class_folders(folder, texts)


def _list_class_texts(folder: Path) -> list[tuple[str, Path]]:
    """The label and the file of each text in a folder of classes."""
    classes = [path for path in list_entries(folder) if path.is_dir()]
    return [(c.name, p) for c in classes for p in list_entries(c) if p.suffix.lower() == ".txt"]


def _read_class_folders(folder: Path, texts: list[tuple[str, Path]]) -> Iterator[Cells]:
    if not texts:
        raise DataError(
            "no class folders with .txt files",
            where=str(folder),
            expected="one sub-folder for each class, its name the label, with one .txt file for each text; "
            f"or data files ({', '.join(sorted(SUFFIXES))}) of one format",
        )
    for label, file in texts:
        yield str(file), {"text": "".join(read_raw_lines(file)).strip(), "label": label}
