"""Turns a source's cells into rows; invalid ones are counted, and are an error or left out on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headstart.config.study import Data
from headstart.data.corpus import Row
from headstart.data.formats import Cells, get_cell
from headstart.data.groups import GroupColumn, is_no_group
from headstart.data.labels.base import LabelType
from headstart.data.row_table import RowTable, RowTableBuilder
from headstart.errors import DataError
from headstart.records import StudyWarning
from headstart.wording import format_names

#: Invalid rows that a message names.
_ROWS_NAMED: Final = 5


@dataclass(frozen=True)
class ReadRows:
    """The rows of one source, the errors of those left out, and how many rows each unread thing is in."""

    rows: RowTable
    skipped: tuple[DataError, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)

    def find_doubts(self) -> Iterator[StudyWarning]:
        """What is worth a warning: rows left out, and what of rows is not read."""
        if self.skipped:
            count, first = len(self.skipped), self.skipped[0]
            total = count + len(self.rows)
            yield StudyWarning(
                kind="skipped",
                message=f"{count} of {total} rows cannot be read and are skipped (data.skip_invalid): "
                f"{_name_rows(self.skipped)}; the first: {first.got}",
            )
        for what, count in self.unread.items():
            yield StudyWarning(kind="unread", message=f"in {count} of {len(self.rows)} rows {what}")


def read_rows(
    cells: Iterable[Cells], data: Data, label_type: LabelType, column: GroupColumn | None
) -> ReadRows:
    """The rows of one source; `column` is that of the groups of test examples.

    Raises:
        DataError: a row cannot be read, and the study skips none; or no row can.
    """
    rows = RowTableBuilder()
    invalid: list[DataError] = []
    unread: Counter[str] = Counter()
    for i, (where, one) in enumerate(cells):
        try:
            _add_row(rows, i, where, one, data, label_type, column)
        except DataError as error:
            invalid.append(error)
            continue
        unread.update(label_type.list_unread(one, data))
    if invalid and (not rows or not data.skip_invalid):
        raise _sum_up(invalid, len(rows) + len(invalid))
    return ReadRows(rows.build(), tuple(invalid), unread)


def _add_row(
    rows: RowTableBuilder,
    index: int,
    where: str,
    cells: dict[str, Any],
    data: Data,
    label_type: LabelType,
    column: GroupColumn | None,
) -> None:
    # An asset names no key of the study's, and keeps its groups whole.
    group = data.split.group or ("group" if data.asset is not None else None)
    text, label = label_type.read_text(cells, data, where), label_type.read_label(cells, data, where)
    own = None if group is None else _read_group(cells, group, where)
    test_group = None if column is None else column.read(cells, where)
    if not rows.knows_label(label):
        # A label that cannot be read is told with its row.
        label_type.make_key(Row(index, where, text, label, own, test_group), data)
    rows.add(index, where, text, label, own, test_group)


def _read_group(cells: dict[str, Any], column: str, where: str) -> str:
    value = get_cell(cells, column, where, "data.split.group")
    if is_no_group(value):
        raise DataError(
            f"no group (empty, null or NaN) in column {column!r}",
            where=where,
            expected="the group's name, as a group must not be in two parts",
            fix="give each such row its own name, or unset data.split.group",
        )
    return str(value)


def _sum_up(invalid: Sequence[DataError], total: int) -> DataError:
    """The first row's error, with how many there are."""
    first, count = invalid[0], len(invalid)
    if count == total:
        return first
    more = f"; {count} of {total} rows cannot be read: {_name_rows(invalid)}" if count > 1 else ""
    skip = "data.skip_invalid: true skips such rows"
    fix = first.fix if first.fix and "skip_invalid" in first.fix else None
    return DataError(
        f"{first.got}{more}",
        where=first.where,
        expected=first.expected,
        fix=fix or (f"{first.fix}; or {skip}" if first.fix else f"fix the row; or {skip}"),
    )


def _name_rows(invalid: Sequence[DataError]) -> str:
    """The places of the first rows, and how many more there are."""
    return format_names([str(error.where) for error in invalid], _ROWS_NAMED)
