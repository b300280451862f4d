"""Reads CSV and TSV files, with a header, into rows; what is wrong with one is said from what is seen."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from headstart.config.data_section import parse_separator
from headstart.data.lines import make_rewrite, read_lines, read_table_lines
from headstart.data.quotations import SEPARATORS, explain_quotation, name_separator
from headstart.errors import DataError

#: Characters of the longest cell: csv's own limit is less than a long text.
CELL_LIMIT: Final = 2**31 - 1
_COMMA: Final = ","
_TAB: Final = "\t"
_MARK: Final = "\ufeff"
Rows = Iterator[tuple[str, dict[str, Any]]]


def read_separator(given: str) -> str:
    """A separator as people write it, who mean a tab with `\\t`.

    Raises:
        DataError: it is not one character, or one that cells are quoted or ended with.
    """
    try:
        return parse_separator(given)
    except ValueError as error:
        raise DataError(
            f"{given!r} between cells", where="separator", expected="one character, such as ;"
        ) from error


def read_csv(path: Path, separator: str = _COMMA) -> Rows:
    """The rows of a CSV file with the line that each begins on; quoted cells may span lines.

    Raises:
        DataError: a quotation that is never closed, a row of another length, or a header that names nothing.
    """
    csv.field_size_limit(CELL_LIMIT)
    lines = _Kept(read_table_lines(path))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    start = 1
    table: _Table | None = None
    try:
        for values in reader:
            # A quoted cell may span lines: a row stands where the one before it ended.
            line, start = start, reader.line_num + 1
            lines.forget()
            if values and table is None:
                table = _Table(path, separator, values, line)
            elif values and table is not None:
                yield f"{path}:{line}", table.make_row(values, line)
    except csv.Error as error:
        if table is not None:
            table.check_separator()  # quotation marks may be right, and the separator another
        raise explain_quotation(error, path, start, lines.text, separator) from error


def read_header(path: Path, separator: str = _COMMA) -> list[str]:
    """The names of the columns of a CSV or TSV file; none of an empty one.

    Raises:
        DataError: a header that names nothing, or cannot be read.
    """
    if path.suffix.lower() == ".tsv":
        lines = ((number, line) for number, line in enumerate(read_lines(path), start=1) if line)
        number, header = next(((number, line.split(_TAB)) for number, line in lines), (1, []))
        separator = _TAB
    else:
        reader = csv.reader(read_table_lines(path), delimiter=separator, strict=True)
        header = next(filter(None, reader), [])
        number = reader.line_num
    if header:
        _Table(path, separator, header, number)  # which looks at it
    return header


class _Kept:
    """Lines as they are read, those of the present row kept."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._kept: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._kept.append(line)
            yield line

    @property
    def text(self) -> str:
        """The present row."""
        return "".join(self._kept)

    def forget(self) -> None:
        """Begin the next row."""
        self._kept.clear()


def read_tsv(path: Path) -> Rows:
    """The rows of a TSV file; empty lines are passed over.

    Raises:
        DataError: a row of another length, or a header that names nothing.
    """
    # Tab-separated corpora hold bare quotation marks: quoting is a habit of CSV.
    lines = ((number, line) for number, line in enumerate(read_lines(path), start=1) if line)
    for number, header in itertools.islice(lines, 1):
        table = _Table(path, _TAB, header.split(_TAB), number)
    for number, line in lines:
        yield f"{path}:{number}", table.make_row(line.split(_TAB), number)


class _Table:
    """A header, and the rows that fit it."""

    def __init__(self, path: Path, separator: str, header: list[str], line: int) -> None:
        self._path, self._separator, self._header, self._line = path, separator, header, line
        self._is_first = True
        if separator != _TAB:  # in TSV it is an ordinary character
            _check_quotation(header, path, f"{path}:{line}", separator)
        _check_header(header, path, f"{path}:{line}")

    def make_row(self, values: list[str], line: int) -> dict[str, str]:
        """The cells of one row by column.

        Raises:
            DataError: it has another number of cells, or is the header again.
        """
        where = f"{self._path}:{line}"
        if self._is_first:
            self.check_separator(self._separator.join(values))
            self._is_first = False
        if len(values) != len(self._header):
            self.check_separator()
            raise self._explain_length(values, where)
        if values[0].startswith(_MARK) or (len(values) > 1 and values == self._header):
            raise _explain_joint(where, values)
        return dict(zip(self._header, values, strict=True))

    def check_separator(self, row: str | None = None) -> None:
        """Refuse a header of one cell that another separator divides, as it does the row where one is given.

        Raises:
            DataError: names the separator.
        """
        if len(self._header) > 1:
            return
        for other, name in SEPARATORS.items():
            count = len(split_line(self._header[0], other))
            if count > 1 and (row is None or len(split_line(row, other)) == count):
                raise DataError(
                    f"one column, {self._header[0]!r}: separated by {name}?",
                    where=f"{self._path}:{self._line}",
                    expected=f"columns separated by {name_separator(self._separator)}",
                    fix=_suggest_separator(self._path, other, self._separator),
                )

    def _explain_length(self, values: list[str], where: str) -> DataError:
        cells = "1 cell" if len(values) == 1 else f"{len(values)} cells"
        way = "quote texts that contain it" if self._separator != _TAB else "remove it"
        fix = None
        if len(values) > len(self._header):
            fix = f"if a text holds {name_separator(self._separator)}: {way}"
        if self._separator != _TAB and any(map(_has_late_quotation, values)):
            fix = f"no space before a quotation mark: {_suggest_unspaced(self._path, self._separator)}"
        return DataError(
            f"{cells}, the header has {len(self._header)}",
            where=where,
            expected=f"columns {', '.join(map(repr, self._header))}",
            fix=fix,
        )


def split_line(line: str, separator: str) -> list[str]:
    """The cells of one line, which may hold carriage returns: it is divided, and not judged."""
    csv.field_size_limit(CELL_LIMIT)
    # A cell may hold a line end, which csv takes for one of the file's.
    return next(csv.reader([" ".join(line.splitlines())], delimiter=separator), [])


def _suggest_separator(path: Path, other: str, separator: str) -> str:
    """What to do about a file whose separator is another than its name says."""
    if separator == _TAB and other == _COMMA:
        return make_rewrite(path, "name it .csv: mv {file} {stem}.csv")
    rewrite = _suggest_rewrite(path, f'sys.stdin, delimiter="{_spell(other)}"')
    key = f'set data.separator: "{_spell(other)}" in a study, --separator of predict; or '
    return f"{key if separator != _TAB else ''}write it with commas: {rewrite}"


def _spell(separator: str) -> str:
    return "\\t" if separator == _TAB else separator


def _check_header(header: list[str], path: Path, where: str) -> None:
    """Refuse names that stand twice: a row's cell by that name would be the last one's."""
    if header[0].lower().startswith("sep=") and len("".join(header)) <= len("sep=;"):
        raise DataError(
            f"Excel's line {header[0]!r} in place of the header",
            where=where,
            expected="the names of the columns",
            fix=make_rewrite(path, "remove it: tail -n +2 {file} > {new}"),
        )
    counts = Counter(header)
    twice = [name for name in counts if counts[name] > 1]
    if twice:
        places = [i for i, name in enumerate(header, start=1) if name == twice[0]]
        what = f"column {twice[0]!r} appears twice in the header" if twice[0] else "columns without a name"
        raise DataError(
            f"{what} (columns {', '.join(map(str, places))})",
            where=where,
            expected="a unique name for each column",
            fix="rename or remove one"
            if twice[0]
            else "delete these columns (in a spreadsheet, the entire columns), or name them",
        )
    if not any(name.strip(f" {_MARK}") for name in header):
        raise DataError("a header without a name", where=where, expected="the names of the columns")


def _check_quotation(header: list[str], path: Path, where: str, separator: str) -> None:
    """Refuse a quotation mark behind a space: it opens nothing, and would be read as part of the cell."""
    spaced = next(filter(_has_late_quotation, header), None)
    if spaced is not None:
        raise DataError(
            f"a space before the quotation mark of {spaced!r}",
            where=where,
            expected="a quotation mark right after the separator",
            fix=_suggest_unspaced(path, separator),
        )


def _has_late_quotation(cell: str) -> bool:
    """Whether it begins with a space and then a quotation mark."""
    return cell.startswith(" ") and cell.lstrip(" ").startswith('"')


def _suggest_unspaced(path: Path, separator: str) -> str:
    """What takes out the spaces behind a table's separators."""
    other = "" if separator == _COMMA else f'delimiter="{separator}", '
    return _suggest_rewrite(path, f"sys.stdin, {other}skipinitialspace=True")


def _suggest_rewrite(path: Path, arguments: str) -> str:
    """The command that writes a table with commas, which `csv.reader` reads with these arguments."""
    script = f"import csv,sys; csv.writer(sys.stdout).writerows(csv.reader({arguments}))"
    return make_rewrite(path, f"python -c '{script}' < {{file}} > new-{{stem}}.csv")


def _explain_joint(where: str, values: list[str]) -> DataError:
    """What stands where one file was put behind another."""
    mark = "a byte-order mark (U+FEFF) inside the file" if values[0].startswith(_MARK) else "the header again"
    return DataError(
        f"{mark}: two files concatenated?",
        where=where,
        expected="one header, at the start of the file",
        fix="remove it; a study reads several files by a pattern: train: part-*.csv",
    )
