"""How uncertain a plan is that rests on the variances of a study of few seeds.

Three seeds tell the variance between seeds to within a factor of twenty. So what a future study shows, or
needs, is computed for many variances that the study's mean squares allow (`MeanSquares.draw_components`), and
given as the range of the middle 80%.

Shapes: D draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Final

import numpy as np

from headstart.stats.power import (
    MOST_EXAMPLES,
    MOST_SEEDS,
    POWER,
    detectable_difference,
    find_smallest,
)
from headstart.stats.summary import ALPHA
from headstart.stats.variances import MeanSquares, VarianceComponents

#: The share of what variances may be that a range covers, and how many of them are drawn.
RANGE: Final = 0.8
_TAILS: Final = (1 - RANGE) / 2, (1 + RANGE) / 2
_DRAWS: Final = 2000
#: Shares of the variance that are the seeds', at which reaches are computed; between them they are read.
_SHARES: Final = np.linspace(0, 1, 17) ** 2


class PowerRanges:
    """Ranges of what a study shows and needs, over the variances that an earlier one allows."""

    def __init__(
        self,
        squares: MeanSquares,
        generator: np.random.Generator,
        wanted_power: float = POWER,
        alpha: float = ALPHA,
    ) -> None:
        drawn = squares.draw_components(generator, _DRAWS)
        self._seeds, self._examples, self._residual = np.array(
            [(parts.seeds, parts.examples, parts.residual) for parts in drawn]
        ).T
        self._wanted_power, self._alpha = wanted_power, alpha

    def detectable_difference(self, n_seeds: int, n_examples: int) -> tuple[float, float]:
        """The smallest difference that is shown with the wanted power."""
        low, high = np.quantile(self._compute_detectable(n_seeds, n_examples), _TAILS)
        return float(low), float(high)

    def find_required_seeds(self, difference: float, n_examples: int) -> tuple[int | None, int | None]:
        """The fewest seeds that show `difference` on so many examples; None: no number does."""
        return _find_ends(lambda n: self._compute_detectable(n, n_examples) <= difference, MOST_SEEDS)

    def find_required_examples(self, difference: float, n_seeds: int) -> tuple[int | None, int | None]:
        """The fewest examples that show `difference` with so many seeds; None: no number does."""
        return _find_ends(lambda n: self._compute_detectable(n_seeds, n) <= difference, MOST_EXAMPLES)

    def _compute_detectable(self, n_seeds: int, n_examples: int) -> np.ndarray:
        """For each draw [D], from the share of its variance that few seeds estimate."""
        of_seeds = self._seeds / n_seeds + self._residual / (n_seeds * n_examples)
        variance = of_seeds + self._examples / n_examples
        shares = np.divide(of_seeds, variance, out=np.zeros_like(variance), where=variance > 0)
        errors = _tabulate_errors(n_seeds, self._wanted_power, self._alpha)
        return np.asarray(np.sqrt(variance) * np.interp(np.sqrt(shares), np.sqrt(_SHARES), errors))


def _find_ends(is_shown: Callable[[int], np.ndarray], most: int) -> tuple[int | None, int | None]:
    """The smallest number with which a tenth of the draws [D] show it, and with which nine tenths do."""

    def is_enough(share: float, count: int) -> bool:
        return bool(is_shown(count).mean() >= share)

    low, high = (find_smallest(partial(is_enough, share), 2, most) for share in _TAILS)
    return low, high


@cache
def _tabulate_errors(n_seeds: int, wanted_power: float, alpha: float) -> np.ndarray:
    """How many standard errors are detectable, by the share of the variance that is the seeds', of `_SHARES`.

    Nothing else matters where examples are many, as their part is then as good as known.
    """
    return np.array(
        [
            detectable_difference(
                VarianceComponents(seeds=share * n_seeds, examples=(1 - share) * MOST_EXAMPLES, residual=0.0),
                n_seeds,
                MOST_EXAMPLES,
                wanted_power,
                alpha,
            )
            for share in _SHARES
        ]
    )
