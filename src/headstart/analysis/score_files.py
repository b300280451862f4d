"""Reads scores by arm, seed and optional size from a CSV, TSV, JSON Lines or Parquet file."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from headstart.analysis.cells import count_decimals, parse_score, parse_seed, parse_size
from headstart.analysis.scores import ArmScores, Cell
from headstart.config.metrics import MetricInfo, find_metric, settle_metric
from headstart.data.formats import Cells, get_cell, read_cells
from headstart.data.row_table import PlaceColumnBuilder
from headstart.errors import DataError

PLACE_COLUMNS: Final = ("arm", "seed", "size")
#: Numbers from which three decimals may be more than anybody reads.
_LARGE: Final = 100


@dataclass(frozen=True)
class ScoreTable:
    """Scores of a file and their metric; `ignored` are its columns that were not used."""

    scores: tuple[ArmScores, ...]
    metric: MetricInfo
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A score and with how many decimals; where it stands."""

    where: str
    cell: Cell
    seed: int
    score: float
    decimals: int


def read_score_file(file: Path, metric: str | None, *, lower_is_better: bool | None = None) -> ScoreTable:
    """The scores in a CSV, TSV, JSON Lines or Parquet file, and their metric.

    Shares are fractions, or all of them percentages; other metrics stay in their own unit.

    Args:
        lower_is_better: what the user says of a metric whose name does not tell.

    Raises:
        HeadstartError: there are no rows, or one that cannot be read; the metric's direction is not known.
    """
    rows = read_rows(file)
    first = next(rows)
    name = metric or find_only_metric(first, PLACE_COLUMNS)
    info = settle_metric(name, lower_is_better, find_metric(name), str(file))
    places, scores, decimals = PlaceColumnBuilder(), array("d"), 0
    by_cell: defaultdict[Cell, dict[int, float]] = defaultdict(dict)
    for where, cells in chain([first], rows):
        row = _parse_row(cells, name, where)
        _check_once(row, by_cell[row.cell])
        by_cell[row.cell][row.seed] = row.score
        places.add(where)
        scores.append(row.score)
        decimals = max(decimals, row.decimals)
    scale = find_scale(info, np.array(scores), places.build().__getitem__)
    rounding = 10.0**-decimals / scale
    return ScoreTable(
        scores=tuple(
            _make_scores(cell, {seed: score / scale for seed, score in by_seed.items()}, rounding)
            for cell, by_seed in by_cell.items()
        ),
        metric=_choose_decimals(info, decimals, float(np.abs(scores).max())),
        ignored=tuple(column for column in first[1] if column not in (*PLACE_COLUMNS, name)),
    )


def read_rows(file: Path) -> Iterator[Cells]:
    """All rows of a table, of which there is one at least.

    Raises:
        DataError: there are none, or one cannot be read.
    """
    rows = iter(read_cells(file))
    first = next(rows, None)
    if first is None:
        raise DataError("no rows", where=str(file), expected="columns arm, seed and a metric")
    yield first
    yield from rows


def find_only_metric(row: Cells, others: Sequence[str]) -> str:
    """The only column besides `others`.

    Raises:
        DataError: there is none, or more than one.
    """
    where, cells = row
    names = [name for name in cells if name not in others]
    places = ", ".join(name for name in others if name in cells)
    if len(names) != 1:
        raise DataError(
            f"columns {', '.join(names) or 'none'}{f' besides {places}' if places else ''}",
            where=where,
            expected="columns arm, seed and one metric",
            fix="name the metric: --metric NAME" if names else None,
        )
    return names[0]


def find_scale(metric: MetricInfo, scores: np.ndarray, locate: Callable[[int], str]) -> float:
    """What the scores of a column are divided by: 100 where shares are percentages.

    Shares up to 1 are fractions. A column whose shares are above 2 but for zeros is of percentages. One that
    has both, and one that goes a little beyond 1, could be either, so it is refused: nothing is guessed.

    Args:
        scores: [N].
        locate: says where one of them stands.

    Raises:
        DataError: a share is below 0 or above 100, or it is not clear what they are.
    """
    if not metric.is_share or not len(scores):
        return 1.0
    beyond = np.flatnonzero(~((scores >= 0) & (scores <= 100)))
    if len(beyond):
        raise DataError(
            f"{metric.name} {scores[beyond[0]]:g}",
            where=locate(int(beyond[0])),
            expected="a share, from 0 to 1 or as a percentage from 0 to 100",
        )
    lowest, highest = int(np.where(scores > 0, scores, np.inf).argmin()), int(scores.argmax())
    low, high = float(scores[lowest]), float(scores[highest])
    if high <= 1:
        return 1.0
    if low <= 1:
        raise DataError(
            f"{metric.name} {high:g}, but {low:g} at {locate(lowest)}: fractions and percentages "
            "in one column",
            where=locate(highest),
            expected="all from 0 to 1, or all as percentages",
            fix="write all as fractions: divide what are percentages by 100",
        )
    if high <= 2:
        raise DataError(
            f"the largest {metric.name} is {high:g}: too large for a fraction, and small for a percentage",
            where=locate(highest),
            expected="all from 0 to 1, or percentages of which one is above 2",
            fix=f"if it is a percentage, write all as fractions: {high / 100:g}",
        )
    return 100.0


def _choose_decimals(info: MetricInfo, decimals: int, largest: float) -> MetricInfo:
    """Of large numbers a mean is shown with one decimal more than these are written with."""
    return info if largest < _LARGE else replace(info, decimals=min(decimals + 1, info.decimals))


def _parse_row(cells: Mapping[str, Any], metric: str, where: str) -> _Row:
    arm = str(get_cell(cells, "arm", where, "the column's name to arm"))
    seed = parse_seed(get_cell(cells, "seed", where, "the column's name to seed"), where)
    size = parse_size(cells.get("size", "all"), where)
    value = get_cell(cells, metric, where, "--metric")
    return _Row(where, (arm, size), seed, parse_score(value, where), count_decimals(value))


def _check_once(row: _Row, by_seed: Mapping[int, float]) -> None:
    if row.seed in by_seed:
        raise DataError(
            f"{row.cell[0]} has seed {row.seed} twice",
            where=row.where,
            expected="one row for each arm, size and seed",
        )


def _make_scores(cell: Cell, by_seed: dict[int, float], rounding: float) -> ArmScores:
    """With the unit of the last decimal that the column's scores are written with, scaled as these are."""
    arm, size = cell
    train_examples = None if size == "all" else size
    return ArmScores(arm, size, train_examples, by_seed, rounding=rounding)
