"""A table with its caption and the name that selects it; what studies of several sizes have more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headstart.report.table_formats import Rows

SIZE: Final = "train size"


@dataclass(frozen=True)
class NamedTable:
    """Rows, the heading first, with the name that `--table` selects by and a caption. The first `keys`
    columns name the rows."""

    name: str
    caption: str
    rows: Rows
    keys: int = 1


def add_size(cells: list[str], size: object, has_sizes: bool) -> list[str]:
    """With the training-set size after the arm, in studies that have several."""
    return [cells[0], str(size), *cells[1:]] if has_sizes else cells
