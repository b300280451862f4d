"""Power analysis: how many seeds or test examples would show a difference.

Card et al. 2020, "With Little Power Comes Great Responsibility", for the two-way layout of `stats.two_way`:
seeds S and examples N are both samples, so the standard error of a mean difference is
sqrt(seeds / S + examples / N + residual / (S N)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import optimize, stats

from headstart.stats.behrens_fisher import find_reach, list_chi_squared
from headstart.stats.summary import LEVEL
from headstart.stats.two_way import estimate_two_way

#: Which of the two samples makes an error or an interval wide.
LimitingFactor = Literal["seeds", "examples"]
#: The usual chance of showing a difference that is there, and where the search for numbers ends.
POWER: Final = 0.8
_MOST_SEEDS, _MOST_EXAMPLES = 1000, 10_000_000
ALPHA: Final = 1 - LEVEL


@dataclass(frozen=True)
class VarianceComponents:
    """Parts of the variance of one difference, arm minus control on one example with one seed.

    Where examples are in groups, of `group_size` on average, `examples` is as large as makes the mean of N of
    them vary as it does in such groups.
    """

    seeds: float
    examples: float
    residual: float
    group_size: float = 1.0

    def std_error(self, n_seeds: int, n_examples: int) -> float:
        """The standard error of the mean difference."""
        residual = self.residual / (n_seeds * n_examples)
        return float(np.sqrt(self.seeds / n_seeds + self.examples / n_examples + residual))

    def limiting_factor(self, n_seeds: int, n_examples: int) -> LimitingFactor:
        """Which of the two makes the error large."""
        of_examples = self.examples / n_examples + self.residual / (n_seeds * n_examples)
        return "seeds" if self.seeds / n_seeds > of_examples else "examples"


def assume_variances(accuracy: float, disagreement: float | None, seed_std: float) -> VarianceComponents:
    """Variances from what people know before a study.

    Args:
        accuracy: share of examples that the models get right, about.
        disagreement: share of examples on which two models differ in being right; by default that of models
            which err independently, 2 p (1 - p).
        seed_std: deviation over seeds of the difference, as a share.
    """
    differing = 2 * accuracy * (1 - accuracy) if disagreement is None else disagreement
    return VarianceComponents(seeds=seed_std**2, examples=differing, residual=0.0)


def measure_variances(differences: np.ndarray, groups: np.ndarray | None = None) -> VarianceComponents | None:
    """Variances of the differences [S, N] of a study that was run; None where there is no variation.

    Args:
        groups: as in `estimate_two_way`.
    """
    estimate = estimate_two_way(differences, groups)
    if estimate is None:
        return None
    n_seeds, n_examples = differences.shape
    return VarianceComponents(
        seeds=estimate.seeds * n_seeds,
        examples=estimate.examples * n_examples,
        residual=estimate.residual * n_seeds * n_examples,
        group_size=n_examples / (estimate.examples_df + 1),
    )


def compute_power(
    difference: float, variances: VarianceComponents, n_seeds: int, n_examples: int, alpha: float = ALPHA
) -> float:
    """The chance that a two-sided test shows a true `difference`, as `stats.two_way` tests it.

    The mean is normal around it; the seeds' part of its variance is estimated, and how far the interval then
    reaches is averaged over what the estimate may be.

    Args:
        alpha: the chance to show one that is not there; below 5% where it is one of several contrasts.

    Raises:
        ValueError: fewer than two seeds, which have no interval.
    """
    return _Test(variances, n_seeds, n_examples, alpha).compute_power(difference)


class _Test:
    """The test of a mean difference: reaches and how often they come do not depend on the difference."""

    def __init__(self, variances: VarianceComponents, n_seeds: int, n_examples: int, alpha: float) -> None:
        if n_seeds < 2:
            raise ValueError(f"{n_seeds} seed: at least two expected")
        of_seeds = variances.seeds / n_seeds + variances.residual / (n_seeds * n_examples)
        of_examples, df = variances.examples / n_examples, n_seeds - 1
        quantiles, self._weights = list_chi_squared(df)
        estimated = of_seeds * quantiles / df
        examples_df = max(n_examples / variances.group_size - 1, 1.0)
        self._reaches = find_reach(alpha, estimated, of_examples, df, examples_df)
        self._std_error = variances.std_error(n_seeds, n_examples)

    def compute_power(self, difference: float) -> float:
        """The chance that the mean is further from zero than the interval reaches."""
        if self._std_error == 0:
            return 1.0
        above, below = (self._reaches - difference) / self._std_error, (-self._reaches - difference)
        shown = stats.norm.sf(above) + stats.norm.cdf(below / self._std_error)
        return float(shown @ self._weights)


def detectable_difference(
    variances: VarianceComponents,
    n_seeds: int,
    n_examples: int,
    wanted_power: float = POWER,
    alpha: float = ALPHA,
) -> float:
    """The smallest difference that is shown with this chance."""
    test, limit = _Test(variances, n_seeds, n_examples, alpha), variances.std_error(n_seeds, n_examples)
    if limit == 0:
        return 0.0
    while test.compute_power(limit) < wanted_power:
        limit *= 2
    return float(optimize.brentq(lambda d: test.compute_power(d) - wanted_power, 0.0, limit))


def find_required_seeds(
    difference: float, variances: VarianceComponents, n_examples: int, wanted_power: float = POWER
) -> int | None:
    """The fewest seeds, two or more, that show `difference` on so many examples; None: no number does."""
    return _find_smallest(
        lambda n: compute_power(difference, variances, n, n_examples) >= wanted_power, 2, _MOST_SEEDS
    )


def find_required_examples(
    difference: float, variances: VarianceComponents, n_seeds: int, wanted_power: float = POWER
) -> int | None:
    """The fewest examples that show `difference` with so many seeds; None where no number of them does."""
    return _find_smallest(
        lambda n: compute_power(difference, variances, n_seeds, n) >= wanted_power, 2, _MOST_EXAMPLES
    )


def _find_smallest(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number that is enough: doubled until one is, then halved in between.

    More may be worse again: with ever more examples the seeds alone decide, by few degrees of freedom.
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
