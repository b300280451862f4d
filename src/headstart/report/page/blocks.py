"""What the page is made of: sections of sentences, tables, figures, code and named texts; renders nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, Final

from headstart.report.table_formats import Rows
from headstart.report.tables import TerminalTable

if TYPE_CHECKING:
    from headstart.report.figures.figure import Figure

#: A figure at the beginning of a cell, perhaps behind a mark, or a bound: what the cell is sorted by.
_NUMBER: Final = re.compile(r"(?:\* |<|over |under )?([-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)(?![\w])")
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
#: Times and memory, which tables have in several units.
_AMOUNT: Final = re.compile(rf"(\d+(?:\.\d+)?) ({'|'.join(_UNITS)})\b")
#: Figures of a study up to which paper has them all: some eight pages.
MOST_PRINTED: Final = 24
#: What stands where nothing is known.
_NONE: Final = "-"
_SIZE: Final = "train size"


@dataclass(frozen=True)
class PageTable:
    """A table with a caption. Of `rows` the first is the heading; the first `keys` columns name a row.

    `name` is its file's, unique in a study. `arms` are those whose rows the reader can hide. Columns headed
    by one of `prose` hold texts. `is_folded` hides it until it is asked for.
    """

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    rows: Rows
    keys: int = 1
    note: str = ""
    metric: str | None = None
    arms: frozenset[str] = frozenset()
    prose: frozenset[str] = frozenset()
    is_folded: bool = False

    @property
    def head(self) -> list[str]:
        """Its headings."""
        return self.rows[0]

    @property
    def body(self) -> Rows:
        """Its rows without them."""
        return self.rows[1:]

    @property
    def columns(self) -> list[str]:
        """Of each column what it holds: `key`, `prose`, `figure` or `word`."""
        return [self._name_kind(i) for i in range(len(self.head))]

    def _name_kind(self, column: int) -> str:
        if self.head[column] in self.prose:
            return "prose"
        if column < self.keys:
            return "key"
        cells = [row[column] for row in self.body if row[column] not in (_NONE, "")]
        n_figures = sum(find_number(cell) is not None for cell in cells)
        return "figure" if 2 * n_figures >= len(cells) else "word"

    def find_arm(self, row: Sequence[str]) -> str | None:
        """The arm that the row is of."""
        return row[0] if row[0] in self.arms else None

    def find_size(self, row: Sequence[str]) -> str | None:
        """The size that the row is of, where there are several."""
        return row[self.head.index(_SIZE)] if _SIZE in self.head else None


def find_number(cell: str) -> float | None:
    """The number that a cell begins with, by which it is sorted; of times in seconds, of memory in bytes."""
    amounts = _AMOUNT.findall(cell)
    if amounts and _AMOUNT.match(cell):
        return sum(float(count) * _UNITS[unit] for count, unit in amounts)
    found = _NUMBER.match(cell)
    return float(found[1].replace(",", "")) if found else None


def make_page_table(name: str, table: TerminalTable, arms: frozenset[str]) -> PageTable:
    """A table of a terminal, as it stands there."""
    head = [column.head.replace("\n", ", ") for column in table.columns]
    rows = [head, *([str(cell) for cell in row] for row in table.rows)]
    return PageTable(name, table.title, rows, table.keys, note=table.caption, arms=arms)


@dataclass(frozen=True)
class Sentences:
    """One paragraph; as the answer of the page where it `leads`."""

    kind: ClassVar[str] = "sentences"
    sentences: tuple[str, ...]
    leads: bool = False


@dataclass(frozen=True)
class Points:
    """A list with an entry for each sentence."""

    kind: ClassVar[str] = "points"
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Lines as they are, under a label: a file, or commands."""

    kind: ClassVar[str] = "code"
    label: str
    text: str
    is_folded: bool = False


@dataclass(frozen=True)
class NamedTexts:
    """Texts each with what it is: a prompt, and answers to it."""

    kind: ClassVar[str] = "texts"
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PageFigure:
    """A drawn figure."""

    kind: ClassVar[str] = "figure"
    figure: Figure


Block = PageTable | Sentences | Points | Code | NamedTexts | PageFigure


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading. `name` is its anchor, unique in a study."""

    name: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> list[tuple[Block, ...]]:
        """Its blocks in order, figures that follow each other together: they stand side by side."""
        rows: list[tuple[Block, ...]] = []
        for is_figure, group in groupby(self.blocks, lambda block: isinstance(block, PageFigure)):
            blocks = tuple(group)
            rows += [blocks] if is_figure else [(block,) for block in blocks]
        return rows


@dataclass(frozen=True)
class StudyPage:
    """All that is shown of one study. `state` says that it is unfinished; empty where it is not.

    `arms`, each with the name of its colour, `metrics` and `sizes` are what the reader chooses by.
    """

    name: str
    title: str
    state: str
    arms: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    sizes: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def is_short(self) -> bool:
        """Whether paper has room for the figures of all metrics, and not only for those that are chosen."""
        figures = (one for part in self.sections for one in part.blocks if isinstance(one, PageFigure))
        return sum(1 for _ in figures) <= MOST_PRINTED

    @property
    def tables(self) -> tuple[PageTable, ...]:
        """Of all sections."""
        return tuple(one for part in self.sections for one in part.blocks if isinstance(one, PageTable))
