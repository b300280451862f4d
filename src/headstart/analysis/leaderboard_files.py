"""Reads a leaderboard of others: one result an arm by one share, the mean where an arm has several rows."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from headstart.analysis.cells import parse_score, parse_seed, parse_size
from headstart.analysis.score_files import PLACE_COLUMNS, find_only_metric, find_scale, read_rows
from headstart.config.metrics import MetricInfo, find_metric
from headstart.config.sizes import Size
from headstart.data.formats import get_cell
from headstart.data.row_table import PlaceColumnBuilder
from headstart.errors import DataError


@dataclass(frozen=True)
class LeaderboardFile:
    """By arm, its scores as shares, one for each of its rows."""

    metric: MetricInfo
    scores: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class _Row:
    """A result and where it stands."""

    where: str
    arm: str
    size: Size
    seed: int | None
    score: float


def read_leaderboard_file(file: Path, metric: str | None = None) -> LeaderboardFile:
    """The results in a CSV, TSV, JSON Lines or Parquet file.

    Args:
        metric: the only column besides arm, seed and size, by default.

    Raises:
        DataError: there are no rows, or one that cannot be read; the metric is no share; an arm has rows of
            several sizes, or two of one seed, which are not one result.
    """
    lines = read_rows(file)
    first = next(lines)
    name = metric or find_only_metric(first, PLACE_COLUMNS)
    info = _check_share(name, str(file))
    places, scores, arms = PlaceColumnBuilder(), array("d"), dict[str, _Arm]()
    for where, cells in chain([first], lines):
        row = _parse_row(cells, name, where)
        arms.setdefault(row.arm, _Arm(row.size, where)).add(row, len(scores), places)
        places.add(where)
        scores.append(row.score)
    values = np.array(scores)
    values /= find_scale(info, values, places.build().__getitem__)
    return LeaderboardFile(info, {name: tuple(values[arm.rows].tolist()) for name, arm in arms.items()})


class _Arm:
    """The rows of one arm, which are runs of one model: of one size, and each seed once."""

    def __init__(self, size: Size, where: str) -> None:
        self.rows = array("q")
        self._size, self._where = size, where
        self._by_seed: dict[int, int] = {}

    def add(self, row: _Row, place: int, places: PlaceColumnBuilder) -> None:
        """See that the row at `place` is another run of the model; `places` are those of all rows before it.

        Raises:
            DataError: it is of another size, or of a seed that was there.
        """
        if row.size != self._size:
            raise DataError(
                f"{row.arm} has size {row.size}, but {self._size} at {self._where}: these are not "
                "runs of one model",
                where=row.where,
                expected="one size for each arm",
                fix="give each size its own name in column arm",
            )
        if row.seed is not None and (before := self._by_seed.setdefault(row.seed, place)) != place:
            raise DataError(
                f"{row.arm} has seed {row.seed} twice, first at {places.build()[before]}",
                where=row.where,
                expected="one row for each arm and seed",
            )
        self.rows.append(place)


def _parse_row(cells: Mapping[str, Any], metric: str, where: str) -> _Row:
    return _Row(
        where,
        arm=str(get_cell(cells, "arm", where, "the column's name to arm")),
        size=parse_size(cells["size"], where) if "size" in cells else "all",
        seed=parse_seed(cells["seed"], where) if "seed" in cells else None,
        score=parse_score(get_cell(cells, metric, where, "--metric"), where),
    )


def _check_share(name: str, where: str) -> MetricInfo:
    info = find_metric(name)
    if info is None or not info.is_share:
        raise DataError(
            f"metric {name!r} is not known to be a share of examples, so its noise cannot be derived "
            "from their number",
            where=where,
            expected="a share, such as accuracy, exact_match or error_rate",
            fix="if it is the share of correct examples, name the column accuracy",
        )
    return info
