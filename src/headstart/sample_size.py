"""Says how many seeds or test texts would show a difference, from assumed or measured variances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.comparison import compare
from headstart.config.metrics import SHARES
from headstart.data.formats import cell_of, read_cells
from headstart.errors import DataError, HeadstartError
from headstart.report.scores import Scores, shared_seeds, sides
from headstart.stats.power import (
    POWER,
    Variances,
    assumed,
    detectable,
    measured,
    power,
    seeds_needed,
    texts_needed,
)

#: Numbers of seeds that a table shows.
SEEDS = (1, 3, 5, 10, 50)


@dataclass(frozen=True)
class Strength:
    """What a contrast of `seeds` seeds and `texts` test texts can show, by the variances behind it."""

    name: str
    parts: Variances
    seeds: int
    texts: int
    gap: float | None

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, for `--json`; shares as they are, 0.01 for a point."""
        facts: dict[str, Any] = {
            "contrast": self.name,
            "seeds": self.seeds,
            "texts": self.texts,
            "variances": self.parts.__dict__,
            "error": self.parts.error(self.seeds, self.texts),
            "detectable": detectable(self.parts, self.seeds, self.texts),
            "detectable_by_seeds": {str(s): detectable(self.parts, s, self.texts) for s in SEEDS},
            "binds": self.parts.binds(self.seeds, self.texts),
            "power_asked": POWER,
        }
        if self.gap is None:
            return facts
        return facts | {
            "gap": self.gap,
            "power": power(self.gap, self.parts, self.seeds, self.texts),
            "seeds_needed": seeds_needed(self.gap, self.parts, self.texts),
            "texts_needed": texts_needed(self.gap, self.parts, self.seeds),
        }


def power_facts(
    source: Path | None,
    *,
    gap: float | None,
    texts: int | None,
    seeds: int | None,
    accuracy: float,
    disagree: float | None,
    seed_std: float,
    metric: str | None,
    control: str | None,
) -> dict[str, Any]:
    """What `headstart power` answers, as plain values: of a study, of a leaderboard, or of assumptions.

    Raises:
        HeadstartError: neither a study nor a number of texts is given.
    """
    if source is not None and source.is_dir():
        name, found = power_measured(
            source, gap=gap, seeds=seeds, texts=texts, metric=metric, control=control
        )
        return {"metric": name, "contrasts": [one.facts for one in found]}
    if texts is None:
        raise HeadstartError(
            "the number of test texts is needed", where="power", fix="add --texts N, or name a study's folder"
        )
    if source is not None:
        limit, ranks = leaderboard(source, texts, disagree=disagree)
        return {"texts": texts, "limit": limit, "ranks": [rank.__dict__ for rank in ranks]}
    one = power_assumed(
        texts=texts, seeds=seeds or 3, gap=gap, accuracy=accuracy, disagree=disagree, seed_std=seed_std
    )
    return {"metric": "accuracy", "contrasts": [one.facts]}


def power_assumed(
    *,
    texts: int,
    seeds: int = 3,
    gap: float | None = None,
    accuracy: float = 80.0,
    disagree: float | None = None,
    seed_std: float = 1.0,
) -> Strength:
    """What a study that has not been run could show; figures in points, as people state them.

    Args:
        gap: the difference that is to be shown.
        accuracy: what the models get right, about.
        disagree: texts on which two of them differ in being right; as many as in independent models by
        default.
        seed_std: deviation of the difference over seeds.
    """
    parts = assumed(accuracy / 100, None if disagree is None else disagree / 100, seed_std / 100)
    return Strength("assumed", parts, seeds, texts, None if gap is None else gap / 100)


def power_measured(
    source: str | Path,
    *,
    gap: float | None = None,
    seeds: int | None = None,
    texts: int | None = None,
    metric: str | None = None,
    control: str | None = None,
) -> tuple[str, list[Strength]]:
    """The metric, and what each contrast of a study's folder could show, by the variances measured in it.

    Args:
        gap: the difference that is to be shown: points for shares, else in the metric's unit.
        seeds: and `texts`: numbers to judge by in place of the study's own.

    Raises:
        HeadstartError: there is no study, or no contrast with two seeds and known texts.
    """
    made = compare(source, metric=metric, control=control)
    scaled = gap / 100 if gap is not None and made.metric in SHARES else gap
    found = []
    for one, against, _ in made.contrasts:
        strength = _strength(one, against, scaled, seeds, texts)
        found += [strength] if strength else []
    if not found:
        raise HeadstartError(
            f"no contrast of {made.metric} has two seeds that differ, and predictions of the same texts",
            where=str(source),
            expected="a study with seeds: 2 or more with their predictions, not of spearman",
        )
    return made.metric, found


def _strength(
    one: Scores, against: Scores, gap: float | None, seeds: int | None, texts: int | None
) -> Strength | None:
    mine, theirs = sides((one, against), shared_seeds(one, against))
    if mine.by_text is None or theirs.by_text is None or len(mine.by_text) < 2:
        return None
    gaps = mine.by_text - theirs.by_text
    parts = measured(gaps)
    name = f"{one.arm} - {against.arm}" + ("" if one.size == "all" else f", {one.size} texts")
    return None if parts is None else Strength(name, parts, seeds or len(gaps), texts or gaps.shape[1], gap)


@dataclass(frozen=True)
class Rank:
    """A single result of a leaderboard: its gap to the first, and whether chance alone could make it."""

    name: str
    score: float
    gap: float
    is_noise: bool


def leaderboard(
    file: Path, texts: int, *, disagree: float | None = None, top: int = 5
) -> tuple[float, list[Rank]]:
    """The best of single results, columns arm and one metric, each on the same so many texts.

    Gives the gap that noise of the texts alone makes one time in twenty, and the ranks. What seeds add is not
    known of single results, and comes on top; so does having looked for the best of many.

    Raises:
        DataError: there are no two results, or a score is no share.
    """
    scores = sorted(_scores(file), key=lambda pair: -pair[1])
    if len(scores) < 2:
        raise DataError("fewer than two results", where=str(file), expected="columns arm and a score")
    best = scores[0][1]
    middle = float(np.mean([score for _, score in scores[:top]]))
    parts = assumed(middle, None if disagree is None else disagree / 100, 0.0)
    limit = 1.959964 * parts.error(1, texts)
    return limit, [Rank(name, score, best - score, best - score < limit) for name, score in scores[:top]]


def _scores(file: Path) -> list[tuple[str, float]]:
    found = []
    for where, cells in read_cells(file):
        name = str(cell_of(cells, "arm", where, "the column's name to arm"))
        (column,) = [c for c in cells if c not in ("arm", "seed", "size")][:1] or ["score"]
        try:
            value = float(str(cell_of(cells, column, where, "a column of scores")))
        except ValueError as error:
            raise DataError(f"score {cells[column]!r}", where=where, expected="a number") from error
        found.append((name, value))
    scale = 100 if any(value > 1 for _, value in found) else 1
    return [(name, value / scale) for name, value in found]
