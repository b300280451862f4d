"""Reads scores by arm, seed and optional size from a CSV, TSV, JSON Lines or Parquet file."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headstart.analysis.scores import ArmScores, Cell
from headstart.config.metrics import SHARES
from headstart.config.study import Size
from headstart.data.formats import get_cell, read_cells
from headstart.errors import DataError

_PLACE_COLUMNS: Final = ("arm", "seed", "size")


def read_score_file(file: Path, metric: str | None) -> tuple[list[ArmScores], str]:
    """The scores in a CSV, TSV, JSON Lines or Parquet file, and their metric.

    Shares above 1 are taken as percentages.

    Raises:
        DataError: there are no rows, or one that cannot be read.
    """
    by_cell: defaultdict[Cell, dict[int, float]] = defaultdict(dict)
    for where, cells in read_cells(file):
        metric = metric or _find_only_metric(cells, where)
        arm = str(get_cell(cells, "arm", where, "the column's name to arm"))
        seed = _parse_seed(get_cell(cells, "seed", where, "the column's name to seed"), where)
        by_seed = by_cell[arm, _parse_size(cells.get("size", "all"))]
        if seed in by_seed:
            raise DataError(
                f"{arm} has seed {seed} twice", where=where, expected="one row for each arm, size and seed"
            )
        by_seed[seed] = _parse_score(get_cell(cells, metric, where, "--metric"), where)
    if not by_cell or metric is None:
        raise DataError("no rows", where=str(file), expected="columns arm, seed and a metric")
    is_percent = metric in SHARES and max(max(by_seed.values()) for by_seed in by_cell.values()) > 1
    scores = [
        ArmScores(
            arm=arm,
            size=size,
            train_examples=None if size == "all" else size,
            by_seed={seed: value / 100 if is_percent else value for seed, value in by_seed.items()},
        )
        for (arm, size), by_seed in by_cell.items()
    ]
    return scores, metric


def _find_only_metric(cells: Mapping[str, Any], where: str) -> str:
    others = [name for name in cells if name not in _PLACE_COLUMNS]
    if len(others) != 1:
        raise DataError(
            f"columns {', '.join(others) or 'none'} besides arm and seed",
            where=where,
            expected="one",
            fix="--metric NAME",
        )
    return others[0]


def _parse_seed(value: object, where: str) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise DataError(f"seed {value!r}", where=where, expected="a whole number") from error


def _parse_size(value: object) -> Size:
    text = str(value)
    return int(text) if text.isdecimal() else "all"


def _parse_score(value: object, where: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"score {value!r}", where=where, expected="a finite number")
    return number
