"""Reads items from anybody's table: a CSV, TSV, JSON Lines or Parquet file with columns item and a score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headstart.analysis.cells import parse_seed
from headstart.analysis.item_files.base import ItemFile
from headstart.analysis.item_files.item_table import ItemTableBuilder
from headstart.data.formats import SUFFIXES, read_cells
from headstart.errors import DataError

_PLACE_COLUMNS: Final = ("arm", "seed", "item", "group")


class TableReader:
    """Columns item and a score; arm, seed and group where there are several."""

    description = "a table with columns item and a score, and optionally arm, seed and group"

    def recognises(self, file: Path) -> bool:
        """By a column `item`."""
        if file.suffix.lower() not in SUFFIXES:
            return False
        try:
            return any("item" in cells for _, cells in [next(iter(read_cells(file)), ("", {}))])
        except DataError:
            return False

    def read(self, file: Path) -> ItemFile:
        """As `ItemReader`."""
        builder = ItemTableBuilder()
        has_seeds = False
        for where, cells in read_cells(file):
            _add_row(builder, where, cells)
            has_seeds = has_seeds or "seed" in cells
        return ItemFile(file, builder.build(), arm=file.stem, has_seeds=has_seeds)


def _add_row(builder: ItemTableBuilder, where: str, cells: Mapping[str, Any]) -> None:
    item, group = cells.get("item"), cells.get("group")
    if item in (None, ""):
        raise DataError("a row without an item", where=where, expected="the item's name in column item")
    if "group" in cells and group in (None, ""):
        raise DataError(
            "a row without a group", where=where, expected="a group for each item, or no group column"
        )
    arm = cells.get("arm")
    if "arm" in cells and arm in (None, ""):
        raise DataError("a row without an arm", where=where, expected="the arm's name in column arm")
    builder.add(
        where,
        _format_key(item),
        (cell for cell in cells.items() if cell[0] not in _PLACE_COLUMNS),
        seed=parse_seed(cells["seed"], where) if "seed" in cells else 0,
        arm=None if arm is None else str(arm),
        group=None if group is None else _format_key(group),
    )


def _format_key(value: object) -> str:
    """An identity, `12.0` as pandas writes it as `12`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


TABLE: Final = TableReader()
