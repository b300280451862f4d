"""How many seeds or test texts would show a difference, of numbers that nobody has run yet.

Card et al. 2020, "With Little Power Comes Great Responsibility", for the two-way layout of `stats.crossed`:
seeds S and texts N are both samples, so the error of a mean gap is sqrt(seeds / S + texts / N + rest / (S
N)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import optimize, stats

from headstart.stats.crossed import crossed_interval, satterthwaite
from headstart.stats.summary import LEVEL

#: The usual chance of showing a difference that is there, and where the search for numbers ends.
POWER: Final = 0.8
_MOST: Final = {"seeds": 1000, "texts": 10_000_000}
_MANY, _FAR, _REACH, _ONE_SIDED = 1000.0, 30.0, 29.0, 5.0


@dataclass(frozen=True)
class Variances:
    """Parts of the variance of one gap, arm minus control on one text with one seed."""

    seeds: float
    texts: float
    rest: float

    def error(self, seeds: int, texts: int) -> float:
        """The standard error of the mean gap."""
        return float(np.sqrt(self.seeds / seeds + self.texts / texts + self.rest / (seeds * texts)))

    def binds(self, seeds: int, texts: int) -> Literal["seeds", "texts"]:
        """Which of the two makes the error large."""
        return "seeds" if self.seeds / seeds > self.texts / texts + self.rest / (seeds * texts) else "texts"


def assumed(accuracy: float, disagree: float | None, seed_std: float) -> Variances:
    """Variances from what people know before a study.

    Args:
        accuracy: share of texts that the models get right, about.
        disagree: share of texts on which two models differ in being right; by default that of models which
            err independently, 2 p (1 - p).
        seed_std: deviation over seeds of the difference, as a share.
    """
    differ = 2 * accuracy * (1 - accuracy) if disagree is None else disagree
    return Variances(seeds=seed_std**2, texts=differ, rest=0.0)


def measured(gaps: np.ndarray) -> Variances | None:
    """Variances of the gaps [S, N] of a study that was run; None where there is no variation."""
    found = crossed_interval(gaps)
    if found is None:
        return None
    seeds, texts = gaps.shape
    return Variances(found.seeds * seeds, found.texts * texts, found.rest * seeds * texts)


def power(gap: float, parts: Variances, seeds: int, texts: int) -> float:
    """The chance that a two-sided test at 5% shows a true difference of `gap`.

    A t test with the degrees of freedom of the crossed interval; one seed is judged over its texts alone, as
    if the seeds' part were known.
    """
    error = parts.error(seeds, texts)
    if error == 0:
        return 1.0
    freedom, shift = _freedom(parts, seeds, texts), gap / error
    limit = stats.t.ppf((1 + LEVEL) / 2, freedom)
    if (
        freedom > _MANY or shift > _FAR
    ):  # where the noncentral t, which scipy has no digits for there, is normal
        return float(stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift))
    # Far from zero the other side counts for nothing, and scipy has no digits for it.
    other_side = stats.nct.cdf(-limit, freedom, shift) if shift < _ONE_SIDED else 0.0
    return float(stats.nct.sf(limit, freedom, shift) + other_side)


def _freedom(parts: Variances, seeds: int, texts: int) -> float:
    if seeds == 1:
        return float(max(texts - 1, 1))
    a, b = texts * parts.seeds + parts.rest, seeds * parts.texts + parts.rest
    return satterthwaite(a + b - parts.rest, a, b, parts.rest, seeds, texts)


def detectable(parts: Variances, seeds: int, texts: int, chance: float = POWER) -> float:
    """The smallest difference that is shown with this chance."""
    error = parts.error(seeds, texts)
    if error == 0:
        return 0.0
    return float(optimize.brentq(lambda gap: power(gap, parts, seeds, texts) - chance, 0.0, _REACH * error))


def seeds_needed(gap: float, parts: Variances, texts: int, chance: float = POWER) -> int | None:
    """The fewest seeds, two or more, that show `gap` on so many texts; None where no number of them does."""
    return _fewest(lambda seeds: power(gap, parts, seeds, texts) >= chance, 2, _MOST["seeds"])


def texts_needed(gap: float, parts: Variances, seeds: int, chance: float = POWER) -> int | None:
    """The fewest texts that show `gap` with so many seeds; None where no number of them does."""
    return _fewest(lambda texts: power(gap, parts, seeds, texts) >= chance, 2, _MOST["texts"])


def _fewest(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number that is enough: doubled until one is, then halved in between.

    More may be worse again: with ever more texts the seeds alone decide, by few degrees of freedom.
    """
    below, above = low - 1, low
    while not is_enough(above):
        if above == high:
            return None
        below, above = above, min(2 * above, high)
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if is_enough(middle) else (middle, above)
    return above
