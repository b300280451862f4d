"""Reads scores by arm, seed and perhaps size from a table of anybody's; refuses what is no number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headstart.config.metrics import SHARES
from headstart.config.study import Size
from headstart.data.formats import cell_of, read_cells
from headstart.errors import DataError
from headstart.report.scores import Scores

_OWN_COLUMNS: Final = ("arm", "seed", "size")


def read_scores(file: Path, metric: str | None) -> tuple[list[Scores], str, str]:
    """The scores in a CSV, TSV, JSON Lines or Parquet file, their metric, and the usual control.

    Shares above 1 are taken as percentages.

    Raises:
        DataError: there are no rows, or one that cannot be read.
    """
    found: dict[tuple[str, Size], Scores] = {}
    for where, cells in read_cells(file):
        metric = metric or _only_metric(cells, where)
        arm = str(cell_of(cells, "arm", where, "the column's name to arm"))
        seed = _whole(cell_of(cells, "seed", where, "the column's name to seed"), where)
        size = _size(cells.get("size", "all"))
        labels = None if size == "all" else size
        own = found.setdefault((arm, size), Scores(arm, size, labels)).by_seed
        if seed in own:
            raise DataError(
                f"{arm} has seed {seed} twice", where=where, expected="one row for each arm, size and seed"
            )
        own[seed] = _number(cell_of(cells, metric, where, "--metric"), where)
    if not found or metric is None:
        raise DataError("no rows", where=str(file), expected="columns arm, seed and a metric")
    scores = list(found.values())
    if metric in SHARES and max(value for one in scores for value in one.by_seed.values()) > 1:
        for one in scores:
            one.by_seed = {seed: value / 100 for seed, value in one.by_seed.items()}
    names = [one.arm for one in scores]
    return scores, metric, "random" if "random" in names else names[0]


def _only_metric(cells: Mapping[str, Any], where: str) -> str:
    others = [name for name in cells if name not in _OWN_COLUMNS]
    if len(others) != 1:
        raise DataError(
            f"columns {', '.join(others) or 'none'} besides arm and seed",
            where=where,
            expected="one",
            fix="--metric NAME",
        )
    return others[0]


def _whole(value: object, where: str) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise DataError(f"seed {value!r}", where=where, expected="a whole number") from error


def _size(value: object) -> Size:
    text = str(value)
    return int(text) if text.isdecimal() else "all"


def _number(value: object, where: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"score {value!r}", where=where, expected="a finite number")
    return number
