"""Reads the documents of a corpus from its files, one at a time; divides and tokenises nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headstart.data.compressed import COMPRESSED_SUFFIXES, get_plain_suffix
from headstart.data.delimited import read_csv, read_tsv
from headstart.data.folders import is_pattern, list_entries, list_matches, name_part
from headstart.data.formats import SUFFIXES, get_cell, read_parquet_batches, refuse_format
from headstart.data.json_rows import read_json
from headstart.data.lines import check_line_end, read_pieces, require_file
from headstart.data.texts import check_encodable, shorten
from headstart.errors import DataError
from headstart.os_faults import check_lookup

if TYPE_CHECKING:
    from headstart.data.text_corpus import DocumentUnit, TextCorpus

#: Suffixes of text files; of a file that is named by itself any other will do that no other format has.
TEXT_SUFFIXES: Final = frozenset({".txt", ".text", ".md", ".raw", ".tokens"})
#: Suffixes of what is no text, whatever is in it.
_NO_TEXT: Final = frozenset(
    {".zip", ".tar", ".tgz", ".7z", ".xlsx", ".xls", ".ods", ".arrow", ".feather", ".pkl", ".pickle", ".py"}
    | {".pdf", ".docx", ".doc", ".odt", ".epub", ".html", ".htm", ".xml", ".bin", ".idx", ".npy", ".lz4"}
)
#: Characters of the longest document: one in memory takes up to four bytes for each.
LONGEST_DOCUMENT: Final = 100_000_000
#: A document and where it begins, `file:line`.
Located = tuple[str, str]


def list_corpus_files(path: Path) -> list[Path]:
    """The files at a path: of a folder those in it of known formats, of a pattern those that match, by name.

    Raises:
        DataError: nothing is there, or nothing that can be read.
    """
    check_lookup(path)
    if path.is_dir():
        return _list_folder(path)
    require_file(path)
    if path.exists():
        return [_check_format(path)]
    if is_pattern(path):
        return [_check_format(file) for file in list_matches(path)]
    raise DataError(
        "no such file or folder",
        where=str(path),
        expected="a file of text, JSON Lines, Parquet or CSV, a folder of such, or a pattern",
    )


def _list_folder(folder: Path) -> list[Path]:
    known = TEXT_SUFFIXES | SUFFIXES
    files = [path for path in list_entries(folder) if path.is_file() and get_plain_suffix(path) in known]
    if not files:
        raise DataError(
            "no text in this folder",
            where=str(folder),
            expected=f"files of {', '.join(sorted(known))}, also compressed "
            f"({', '.join(sorted(COMPRESSED_SUFFIXES))})",
            fix=f"for files in folders below it, a pattern: {folder.name}/**/*.txt",
        )
    parts = {name_part(Path(path.name.partition(".")[0])) for path in files}
    if len(parts) > 1 and parts & {"valid", "test"}:
        raise DataError(
            f"parts in it: {', '.join(path.name for path in files)}",
            where=str(folder),
            expected="the texts of one part",
            fix=f"name the files: {folder.name}/train*",
        )
    return files


def _check_format(path: Path) -> Path:
    suffix = get_plain_suffix(path)
    if suffix in _NO_TEXT or (suffix == ".parquet" and path.suffix.lower() != ".parquet"):
        raise refuse_format(path, TEXT_SUFFIXES | SUFFIXES | COMPRESSED_SUFFIXES)
    return path


def name_reading(file: Path, corpus: TextCorpus) -> str:
    """All that the documents of a file depend on beside its bytes."""
    suffix = get_plain_suffix(file)
    if suffix not in SUFFIXES:
        return f"text {corpus.document}"
    return f"{suffix} {corpus.column!r}" + (f" {corpus.separator!r}" if suffix == ".csv" else "")


def iterate_documents(corpus: TextCorpus) -> Iterator[str]:
    """The documents of a corpus in the order of its files, without those that are empty or held out.

    Raises:
        DataError: a file cannot be read, a document is no text or longer than `LONGEST_DOCUMENT`, or there is
            none at all.
    """
    read = given = 0
    for file in corpus.files:
        for where, text in _read_file(file, corpus):
            if not text or text.isspace():
                continue
            if len(text) > LONGEST_DOCUMENT:
                raise _refuse_length(where, corpus.document)
            read += 1
            if corpus.held_out is None or corpus.held_out.holds(text):
                given += 1
                yield text
    if not given:
        raise _refuse_empty(read, corpus)


def _refuse_empty(read: int, corpus: TextCorpus) -> DataError:
    where = ", ".join(map(str, corpus.paths))
    if corpus.held_out is None or not read:
        return DataError("no documents: it is empty", where=where, expected="text")
    share, is_valid = corpus.held_out.share, corpus.held_out.side == "valid"
    outcome = "none of them is kept for validation" if is_valid else "all of them are kept for validation"
    return DataError(
        f"{read:,} documents, and {outcome}",
        where=where,
        expected=f"documents on both sides of a share of {share:g}",
        fix="name files as data.valid, or set another data.valid_share",
    )


def _read_file(file: Path, corpus: TextCorpus) -> Iterator[Located]:
    suffix = get_plain_suffix(file)
    if suffix not in SUFFIXES:
        return _read_text(file, corpus.document)
    rows: Iterable[tuple[str, dict[str, Any]]]
    if suffix == ".parquet":
        rows = (row for _, batch in read_parquet_batches(file, 1024, corpus.column) for row in batch)
    elif suffix in (".csv", ".tsv"):
        rows = read_csv(file, corpus.separator) if suffix == ".csv" else read_tsv(file)
    else:
        rows = read_json(file)
    return ((where, _read_cell(cells, corpus.column, where)) for where, cells in rows)


def _read_cell(cells: dict[str, Any], column: str, where: str) -> str:
    """The text of one row; empty for null."""
    value = get_cell(cells, column, where, "data.text")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{shorten(value)} in column {column!r}", where=where, expected="a text")
    check_encodable(value, f"column {column!r}", where)
    return value


def _read_text(file: Path, unit: DocumentUnit) -> Iterator[Located]:
    lines = _read_lines(file, unit)
    if unit == "line":
        return ((f"{file}:{number}", line) for number, line in lines)
    if unit == "file":
        return iter([(str(file), _join(line for _, line in lines))])
    return _read_paragraphs(file, lines)


def _read_paragraphs(file: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Located]:
    """What stands between lines that are blank."""
    start, kept, length = 1, list[str](), 0
    for number, line in lines:
        if line and not line.isspace():
            start = start if kept else number
            kept.append(line)
            length += len(line) + 1
            if length > LONGEST_DOCUMENT:
                raise _refuse_length(f"{file}:{start}", "blank-line")
        elif kept:
            yield f"{file}:{start}", "\n".join(kept)
            kept, length = [], 0
    if kept:
        yield f"{file}:{start}", "\n".join(kept)


def _join(lines: Iterable[str]) -> str:
    """Lines as one text, without blank ones at its ends."""
    return "\n".join(lines).strip("\n")


def _read_lines(file: Path, unit: DocumentUnit) -> Iterator[tuple[int, str]]:
    """The lines without their ends, numbered; no more than the longest document may have is in memory."""
    number, pieces, length = 1, list[str](), 0
    for piece in read_pieces(file):
        pieces.append(piece)
        length += len(piece)
        if length > LONGEST_DOCUMENT:
            raise _refuse_length(f"{file}:{number}" if unit == "line" else str(file), unit)
        if piece.endswith("\n"):
            line = "".join(pieces)
            yield number, line.removesuffix("\n").removesuffix("\r")
            number, pieces = number + 1, []
            length = length if unit == "file" else 0
    line = "".join(pieces)
    if number == 1:
        check_line_end(line, file)
    if line:
        yield number, line.removesuffix("\r")


def _refuse_length(where: str, unit: DocumentUnit) -> DataError:
    fix = {
        "line": "put each document on its own line, or set data.document: blank-line",
        "blank-line": "put a blank line between documents, or set data.document: line",
        "file": "set data.document: line or blank-line, or divide the file",
    }[unit]
    return DataError(
        f"a document of more than {LONGEST_DOCUMENT:,} characters",
        where=where,
        expected=f"{LONGEST_DOCUMENT:,} at most: a document is in memory as a whole",
        fix=fix,
    )
