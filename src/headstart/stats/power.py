"""Power analysis: how many seeds or test examples would show a difference.

Card et al. 2020, "With Little Power Comes Great Responsibility", for the two-way layout of `stats.two_way`:
seeds S and examples N are both samples, so the standard error of a mean difference is
sqrt(seeds / S + examples / N + residual / (S N)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, stats

from headstart.stats.behrens_fisher import find_reach, list_chi_squared
from headstart.stats.summary import ALPHA
from headstart.stats.two_way import FEW_SEEDS
from headstart.stats.variances import VarianceComponents

#: The usual chance of showing a difference that is there, and where the search for numbers ends.
POWER: Final = 0.8
MOST_SEEDS: Final = 1000
MOST_EXAMPLES: Final = 10_000_000


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
        if n_seeds < FEW_SEEDS:  # as the test has it
            estimated = np.maximum(estimated, variances.residual / (n_seeds * n_examples))
        # Few examples, or groups, widen their part by Student's t. As a normal part that is as much wider it
        # takes a fortieth of the time, and reaches as far to 3% with a dozen of them, to 1% with fifty.
        examples_df = max(n_examples / variances.group_size - 1, 1.0)
        wider = float(stats.t.isf(alpha / 2, examples_df) / stats.norm.isf(alpha / 2))
        self._reaches = find_reach(alpha, estimated, of_examples * wider**2, df)
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
    difference: float,
    variances: VarianceComponents,
    n_examples: int,
    wanted_power: float = POWER,
    alpha: float = ALPHA,
) -> int | None:
    """The fewest seeds, two or more, that show `difference` on so many examples; None: no number does."""
    return find_smallest(
        lambda n: compute_power(difference, variances, n, n_examples, alpha) >= wanted_power, 2, MOST_SEEDS
    )


def find_required_examples(
    difference: float,
    variances: VarianceComponents,
    n_seeds: int,
    wanted_power: float = POWER,
    alpha: float = ALPHA,
    most: int = MOST_EXAMPLES,
) -> int | None:
    """The fewest examples that show `difference` with so many seeds; None where not even `most` do."""
    if most < 2 or compute_power(difference, variances, n_seeds, most, alpha) < wanted_power:
        return None
    return find_smallest(
        lambda n: compute_power(difference, variances, n_seeds, n, alpha) >= wanted_power,
        min(_bound_examples(difference, variances, n_seeds, wanted_power, alpha), most),
        most,
    )


def _bound_examples(
    difference: float, variances: VarianceComponents, n_seeds: int, wanted_power: float, alpha: float
) -> int:
    """Examples fewer than which even a test that knows all variances would not do; two at least."""
    errors = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(wanted_power))
    left = (difference / errors) ** 2 - variances.seeds / n_seeds
    per_example = variances.examples + variances.residual / n_seeds
    return 2 if left <= 0 else max(2, min(int(0.9 * per_example / left), MOST_EXAMPLES))


def find_smallest(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number of `low` to `high` that is enough, where all above it are; None: none is.

    Doubled until one is enough, then halved in between.
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


@dataclass(frozen=True)
class Pair:
    """Numbers of seeds and of test examples that together show a difference."""

    n_seeds: int
    n_examples: int


def find_cheapest_pair(
    difference: float,
    variances: VarianceComponents,
    seed_cost: float,
    wanted_power: float = POWER,
    alpha: float = ALPHA,
) -> Pair | None:
    """The pair that shows `difference` at least cost; None where no pair does.

    Args:
        seed_cost: how many labelled test examples cost as much as one more seed.
    """
    cheapest, cost = None, math.inf
    n_seeds = 2
    while n_seeds <= MOST_SEEDS and n_seeds * seed_cost < cost:
        # No more than leave it cheaper than the cheapest so far.
        most = math.ceil(min(cost - n_seeds * seed_cost, MOST_EXAMPLES + 1)) - 1
        n_examples = find_required_examples(difference, variances, n_seeds, wanted_power, alpha, most)
        if n_examples is not None:
            cheapest, cost = Pair(n_seeds, n_examples), n_seeds * seed_cost + n_examples
        # Ever more seeds at once, where one more hardly counts.
        n_seeds += max(1, n_seeds // 20)
    return cheapest
