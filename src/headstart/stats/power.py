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

from headstart.stats.summary import LEVEL
from headstart.stats.two_way import estimate_two_way, satterthwaite_df

#: Which of the two samples makes an error or an interval wide.
LimitingFactor = Literal["seeds", "examples"]
#: The usual chance of showing a difference that is there, and where the search for numbers ends.
POWER: Final = 0.8
_MOST_SEEDS, _MOST_EXAMPLES = 1000, 10_000_000
#: Degrees of freedom, and standard errors from zero, above which the noncentral t is as good as normal.
_NORMAL_DF, _NORMAL_SHIFT = 1000.0, 30.0
#: Standard errors within which the detectable difference is searched for.
_REACH = 29.0
#: Standard errors from zero above which the other side of the test counts for nothing.
_ONE_SIDED = 5.0


@dataclass(frozen=True)
class VarianceComponents:
    """Parts of the variance of one difference, arm minus control on one example with one seed."""

    seeds: float
    examples: float
    residual: float

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


def measure_variances(differences: np.ndarray) -> VarianceComponents | None:
    """Variances of the differences [S, N] of a study that was run; None where there is no variation."""
    estimate = estimate_two_way(differences)
    if estimate is None:
        return None
    n_seeds, n_examples = differences.shape
    return VarianceComponents(
        seeds=estimate.seeds * n_seeds,
        examples=estimate.examples * n_examples,
        residual=estimate.residual * n_seeds * n_examples,
    )


def compute_power(difference: float, variances: VarianceComponents, n_seeds: int, n_examples: int) -> float:
    """The chance that a two-sided test at 5% shows a true `difference`.

    A t test with the degrees of freedom of the two-way interval; one seed is judged over its examples alone,
    as if the seeds' part were known.
    """
    std_error = variances.std_error(n_seeds, n_examples)
    if std_error == 0:
        return 1.0
    df, shift = _df(variances, n_seeds, n_examples), difference / std_error
    limit = stats.t.ppf((1 + LEVEL) / 2, df)
    # There scipy has no digits for the noncentral t, which is as good as normal.
    if df > _NORMAL_DF or shift > _NORMAL_SHIFT:
        return float(stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift))
    # Far from zero the other side counts for nothing, and scipy has no digits for it.
    other_side = stats.nct.cdf(-limit, df, shift) if shift < _ONE_SIDED else 0.0
    return float(stats.nct.sf(limit, df, shift) + other_side)


def _df(variances: VarianceComponents, n_seeds: int, n_examples: int) -> float:
    if n_seeds == 1:
        return float(max(n_examples - 1, 1))
    e = variances.residual
    a, b = n_examples * variances.seeds + e, n_seeds * variances.examples + e
    return satterthwaite_df(a + b - e, a, b, e, n_seeds, n_examples)


def detectable_difference(
    variances: VarianceComponents, n_seeds: int, n_examples: int, wanted_power: float = POWER
) -> float:
    """The smallest difference that is shown with this chance."""
    std_error = variances.std_error(n_seeds, n_examples)
    if std_error == 0:
        return 0.0

    def missing_power(difference: float) -> float:
        return compute_power(difference, variances, n_seeds, n_examples) - wanted_power

    return float(optimize.brentq(missing_power, 0.0, _REACH * std_error))


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
