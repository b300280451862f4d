"""Tables of a terminal, all in one style: no word is broken or cut; what is too wide goes on below.

Columns that do not fit beside each other stand in a further block under the first, with the names repeated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

Cell = str | Text
#: What stands where nothing is known.
_NONE: Final = "-"
#: Between columns.
_GAP: Final = 2
#: Part of the width that names take at most where they are longer than what is left beside the figures.
_NAME_SHARE: Final = 0.5
#: What a name may be broken into: each with the separator at its end.
_PARTS: Final = re.compile(r"[^-_/. ]*[-_/. ]?")


@dataclass(frozen=True)
class Column:
    """A column: names and words stand on the left, figures on the right; `wraps`: cells may take several
    lines, broken at spaces. Headings always may."""

    head: str
    justify: Literal["left", "right"] = "right"
    style: str | None = None
    wraps: bool = False


@dataclass(frozen=True)
class TerminalTable:
    """Rows of cells under columns; cells are shown as they are, whatever markup they look like.

    The first `keys` columns name the rows, and are repeated in each block. `sections` are numbers of rows
    after which a line is left free; `row_styles` are by row.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    caption: str = ""
    keys: int = 1
    sections: frozenset[int] = frozenset()
    row_styles: dict[int, str] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As many blocks as the width asks for."""
        if self.title:
            yield Text(self.title, style="bold")
        widths = self._fit(options.max_width)
        for i, block in enumerate(_split(widths, self.keys, options.max_width)):
            if i:
                yield Text()
            yield self._render(block, widths)
        if self.caption:
            yield Text(self.caption, style="dim italic")

    def _fit(self, most: int) -> list[int]:
        """The width of each column: headings on one line if all fit, then on several, then wrapped cells."""
        cells = [[row[i] for row in self.rows] for i in range(len(self.columns))]
        bodies = [max((_measure(cell) for cell in column), default=0) for column in cells]
        whole = [max(w, _measure(c.head)) for w, c in zip(bodies, self.columns, strict=True)]
        if _sum(whole) <= most:
            return whole
        heads = [_measure_words(column.head) for column in self.columns]
        broken = [max(pair) for pair in zip(bodies, heads, strict=True)]
        least = [
            max(head, *map(_measure_words, column), 0) if of.wraps else width
            for head, column, of, width in zip(heads, cells, self.columns, broken, strict=True)
        ]
        if _sum(least) > most:  # some columns stand below, where they have the width that they want
            beside = max(most - _sum(broken[: self.keys]) - _GAP, 1)
            return [max(low, min(want, beside)) for low, want in zip(least, broken, strict=True)]
        return _grow(_grow(least, broken, most), whole, most)

    def _render(self, block: Sequence[int], widths: Sequence[int]) -> Table:
        table = start_table()
        for i in block:
            column = self.columns[i]
            table.add_column(
                Text(column.head),
                justify=column.justify,
                style=column.style,
                width=widths[i],
                overflow="fold",
            )
        for number, row in enumerate(self.rows):
            cells = (_break_name(row[i], widths[i]) for i in block)
            table.add_row(*cells, style=self.row_styles.get(number), end_section=number in self.sections)
        return table


def make_table(rows: Sequence[Sequence[str]], *, keys: int = 1, wraps: Collection[str] = ()) -> TerminalTable:
    """Of rows of plain cells, the heading first: names on the left, figures on the right.

    Args:
        keys: columns that name a row.
        wraps: headings of columns whose cells may take several lines.
    """
    first, *others = rows[0]
    figures = (Column(head, wraps=head in wraps) for head in others)
    return TerminalTable((Column(first, "left"), *figures), rows[1:], keys=keys)


def drop_empty(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Without columns in which nothing is known, where there are rows at all."""
    kept = [i for i in range(len(rows[0])) if len(rows) == 1 or any(row[i] != _NONE for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]


def start_table() -> Table:
    """A table in the one style, without columns."""
    return Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)


def _measure(cell: Cell) -> int:
    return max((cell_len(line) for line in str(cell).split("\n")), default=0)


def _measure_words(cell: Cell) -> int:
    """Of the longest word, the least that shows it whole."""
    return max(map(cell_len, str(cell).split()), default=0)


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _grow(least: Sequence[int], wanted: Sequence[int], most: int) -> list[int]:
    """The least widths, with what is left given to columns from the left that want more."""
    widths, left = list(least), most - _sum(least)
    for i, want in enumerate(wanted):
        more = max(0, min(want - widths[i], left))
        widths[i] += more
        left -= more
    return widths


def _split(widths: list[int], n_keys: int, most: int) -> Iterator[list[int]]:
    """The columns of each block, with the keys first; names are made narrower where one figure beside them
    would not fit."""
    widest = max(widths[n_keys:], default=0)
    if (over := _sum(widths[:n_keys]) + _GAP + widest - most) > 0:
        widths[0] = max(widths[0] - over, min(widths[0], int(most * _NAME_SHARE)))
    keys = list(range(n_keys))
    block, used = [*keys], _sum(widths[:n_keys])
    for i in range(n_keys, len(widths)):
        if used + _GAP + widths[i] > most and len(block) > n_keys:
            yield block
            block, used = [*keys], _sum(widths[:n_keys])
        block.append(i)
        used += _GAP + widths[i]
    yield block


def _break_name(cell: Cell, width: int) -> Text:
    """A word that is wider than its column, as names may be, broken behind the last separator that fits."""
    if isinstance(cell, Text) or _measure_words(cell) <= width:
        return cell if isinstance(cell, Text) else Text(cell)
    lines = [""]
    for part in _PARTS.findall(cell):
        if lines[-1] and cell_len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return Text("\n".join(line.rstrip() for line in lines))
