"""Reads a leaderboard of others: one result an arm by one share, the mean where an arm has several rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.analysis.cells import parse_score, parse_seed, parse_size
from headstart.analysis.score_files import PLACE_COLUMNS, find_only_metric, find_scale, read_rows
from headstart.config.metrics import MetricInfo, find_metric
from headstart.config.study import Size
from headstart.data.formats import get_cell
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
    lines = list(read_rows(file))
    name = metric or find_only_metric(lines[0], PLACE_COLUMNS)
    info = _check_share(name, str(file))
    rows = [_parse_row(cells, name, where) for where, cells in lines]
    scale = find_scale(info, np.array([row.score for row in rows]), lambda place: rows[place].where)
    by_arm: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        _check_one_result(row, by_arm[row.arm])
        by_arm[row.arm].append(row)
    return LeaderboardFile(info, {arm: tuple(row.score / scale for row in of) for arm, of in by_arm.items()})


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
            f"metric {name!r} is not known as a share of examples, so their number does not tell its noise",
            where=where,
            expected="a share, such as accuracy, exact_match or error_rate",
            fix="if it is the share of examples that were got right, call the column accuracy",
        )
    return info


def _check_one_result(row: _Row, others: Sequence[_Row]) -> None:
    """See that rows of an arm are runs of one model: of one size, and each seed once."""
    for other in others:
        if other.size != row.size:
            raise DataError(
                f"{row.arm} has size {row.size}, but {other.size} at {other.where}: no runs of one model",
                where=row.where,
                expected="one size for each arm",
                fix="give each size a name of its own in column arm",
            )
        if row.seed is not None and other.seed == row.seed:
            raise DataError(
                f"{row.arm} has seed {row.seed} twice, first at {other.where}",
                where=row.where,
                expected="one row for each arm and seed",
            )
