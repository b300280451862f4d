"""Mean differences over S seeds and N test examples at once, with the variance of both samples.

The differences of a study, arm minus control, are a table [S, N] in which seeds and examples are crossed:
every seed is tested on every example. Both are samples. So an interval over seeds alone holds for this
test set only, and one over examples alone for these models only. Where examples come in groups (sentences of
a document, reviews of a film), groups are what was sampled and take the place of examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from headstart.stats.behrens_fisher import compute_two_sided_p, find_reach
from headstart.stats.bounded import find_end, limit_variance
from headstart.stats.summary import LEVEL, add_rounding, has_variation

#: Seeds below which their mean square is taken to be at least the residual's: one degree of freedom says
#: nearly nothing, and by luck says that there is no variance.
FEW_SEEDS: Final = 3
#: Below this share of the residual's, a mean square is rounding.
_NO_VARIANCE: Final = 1e-12


@dataclass(frozen=True)
class TwoWayEstimate:
    """A mean with its standard error, and the law of its error (`stats.behrens_fisher`).

    `seeds_variance` is the mean's variance as the means of seeds show it, of `seeds_df` degrees of freedom,
    and `examples_variance` what other examples, or groups of them, add to it, of `examples_df`.
    `seeds`, `examples` and `residual` are the parts of the mean's variance that come from seeds, from
    examples, and from neither.
    """

    mean: float
    seeds_variance: float
    examples_variance: float
    seeds_df: float
    examples_df: float
    seeds: float
    examples: float
    residual: float

    @property
    def covers_examples(self) -> bool:
        """Whether its error is of examples too, of which there are at least two, or groups of them."""
        return bool(np.isfinite(self.examples_df))

    @property
    def std_error(self) -> float:
        """The estimated deviation of the mean."""
        return float(np.sqrt(self.seeds_variance + self.examples_variance))

    def add_shared_part(self, n_seeds: int, shared: float) -> TwoWayEstimate:
        """The same with what the seeds' differences have in common, which no spread between them shows:
        `shared` times the variance between them (Nadeau & Bengio 2003)."""
        factor = 1 + n_seeds * shared
        return replace(self, seeds_variance=factor * self.seeds_variance, seeds=factor * self.seeds)

    def compute_p(self, value: float = 0.0) -> float:
        """Two-sided p of a true mean of `value`."""
        return float(compute_two_sided_p(self.mean - value, *self._law))

    @property
    def p(self) -> float:
        """Two-sided p of a true mean of zero."""
        return self.compute_p()

    @property
    def fiducial_prob_positive(self) -> float:
        """The fiducial probability that the true mean is above zero: Bayesian under a flat prior of the mean
        and one of 1 / variance of each part."""
        return 1 - self.p / 2 if self.mean > 0 else self.p / 2

    def compute_interval(self, level: float = LEVEL, limit: float = math.inf) -> tuple[float, float]:
        """The ends of an interval for the true mean that holds with a chance of `level`.

        Args:
            limit: the most that the mean can be, and its negative the least; no end is beyond
                (`stats.bounded`), and zero is outside where it is without a limit.
        """
        reach = self._find_reach(level, self.mean, math.inf)
        low, high = (
            find_end(self.mean, plain, limit, lambda candidate: self._find_reach(level, candidate, limit))
            for plain in (self.mean - reach, self.mean + reach)
        )
        return low, high

    def _find_reach(self, level: float, candidate: float, limit: float) -> float:
        """How far from the mean the true one can be, were it `candidate`."""
        seeds, examples, seeds_df, examples_df = self._law
        seeds, examples = (
            limit_variance(variance, df, self.mean, candidate, limit)
            for variance, df in ((seeds, seeds_df), (examples, examples_df))
        )
        return float(find_reach(1 - level, seeds, examples, seeds_df, examples_df))

    def find_reach_doubled(self, level: float, shared: float = 0.0) -> tuple[float, float]:
        """How far an interval would reach with twice the seeds, and with twice the examples.

        Args:
            shared: as in `add_shared_part`, of which more seeds take nothing away.
        """
        of_seeds, of_examples, seeds_df, examples_df = self._law
        n_seeds = seeds_df + 1
        halved = (1 + 2 * n_seeds * shared) / (1 + n_seeds * shared) / 2
        of_residual = min(self.residual, of_seeds)
        by_seeds = find_reach(1 - level, halved * of_seeds, of_examples, 2 * n_seeds - 1, examples_df)
        fewer = of_seeds - of_residual / 2
        by_examples = find_reach(1 - level, fewer, of_examples / 2, seeds_df, 2 * examples_df + 1)
        return float(by_seeds), float(by_examples)

    @property
    def low(self) -> float:
        """The lower end at 95%."""
        return self.compute_interval()[0]

    @property
    def high(self) -> float:
        """The upper end at 95%."""
        return self.compute_interval()[1]

    @property
    def _law(self) -> tuple[float, float, float, float]:
        return self.seeds_variance, self.examples_variance, self.seeds_df, self.examples_df


def estimate_two_way(differences: np.ndarray, groups: np.ndarray | None = None) -> TwoWayEstimate | None:
    """The mean of `differences` [S, N] with the error of both samples; None without variation.

    A difference is mean + seed + example + residual, each part of mean zero and independent: the two-way
    model with random effects (Searle, Casella & McCulloch 1992, "Variance components", section 4.3), which
    is also that of many readers and many cases in radiology (Dorfman, Berbaum & Metz 1992). With mean squares
    A of seeds, B of examples and E of the residual, the mean's variance is (A + max(B - E, 0)) / (S N), and
    its error t(S - 1) sqrt(A / S N) + t(N - 1) sqrt(max(B - E, 0) / S N). With two seeds A is at least E, and
    where all seeds have the same mean although answers differ.

    Args:
        groups: of which group each example is, [N]; by default each is its own.

    Raises:
        ValueError: fewer than two seeds, or than two examples or groups.
    """
    table = tabulate_units(differences, groups)
    if table is None:
        return None
    return estimate_from_squares(float(differences.mean()), compute_mean_squares(table), table.shape)


def tabulate_units(differences: np.ndarray, groups: np.ndarray | None) -> np.ndarray | None:
    """Differences by seed and example, or by seed and group of examples; None without variation.

    Raises:
        ValueError: fewer than two seeds, or than two examples or groups.
    """
    table = differences if groups is None else sum_groups(differences, groups)
    if min(table.shape) < 2:
        raise ValueError(f"differences of shape {table.shape}; at least two seeds and two examples")
    return table if has_variation(differences.ravel()) else None


def estimate_from_squares(
    mean: float, mean_squares: tuple[float, float, float], shape: tuple[int, ...]
) -> TwoWayEstimate | None:
    """As `estimate_two_way`, of a table of this `shape` with these mean squares of rows, columns and rest."""
    a, b, e = mean_squares
    n_seeds, n_examples = shape
    cells = n_seeds * n_examples
    # Means of seeds that are all the same are so by luck where answers differ: accuracies are whole counts.
    says_nothing = n_seeds < FEW_SEEDS or a <= _NO_VARIANCE * e
    of_seeds = max(a, e) if says_nothing else a
    if of_seeds + max(b - e, 0.0) <= 0:
        return None
    return TwoWayEstimate(
        mean=mean,
        seeds_variance=of_seeds / cells,
        examples_variance=max(b - e, 0.0) / cells,
        seeds_df=n_seeds - 1,
        examples_df=n_examples - 1,
        seeds=max(a - e, 0.0) / cells,
        examples=max(b - e, 0.0) / cells,
        residual=e / cells,
    )


def compute_mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of rows, of columns and of the residual of a table [S, N]."""
    n_seeds, n_examples = table.shape
    mean = float(table.mean())
    by_seed, by_example = table.mean(1) - mean, table.mean(0) - mean
    residuals = table - mean - by_seed[:, None] - by_example[None, :]
    return (
        n_examples * float(by_seed @ by_seed) / (n_seeds - 1),
        n_seeds * float(by_example @ by_example) / (n_examples - 1),
        float((residuals**2).sum()) / ((n_seeds - 1) * (n_examples - 1)),
    )


def sum_groups(differences: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Differences [S, N] as a table [S, G] of groups whose means by seed are the same.

    A group counts as much as it has examples: (G / N) times the sum of its deviations from the seed's mean,
    plus that mean: the ratio estimator's linearisation (Cochran 1977, "Sampling techniques", section 9A).
    """
    _, place = np.unique(groups, return_inverse=True)
    n_groups = int(place.max()) + 1
    means = differences.mean(1, keepdims=True)
    deviations = differences - means
    sums = np.stack([np.bincount(place, row, n_groups) for row in deviations])
    return np.asarray(sums * (n_groups / differences.shape[1]) + means)


def estimate_difference(
    by_seed: np.ndarray,
    by_example: np.ndarray | None,
    groups: np.ndarray | None = None,
    rounding: float = 0.0,
) -> TwoWayEstimate | None:
    """The mean difference over seeds and examples where examples are known, else over seeds.

    Args:
        by_seed: differences [S].
        by_example: differences [S, N], or None.
        groups: as in `estimate_two_way`.
        rounding: the unit that scores were rounded to, where examples are not known.

    Returns:
        None without variation, or none beyond rounding.
    """
    if len(by_seed) < 2:
        return None
    if by_example is not None and count_units(by_example, groups) > 1:
        return estimate_two_way(by_example, groups)
    if not has_variation(by_seed, rounding):
        return None
    variance = add_rounding(float(np.var(by_seed, ddof=1)), rounding, n_scores=2) / len(by_seed)
    df = len(by_seed) - 1
    return TwoWayEstimate(float(by_seed.mean()), variance, 0.0, df, np.inf, variance, 0.0, 0.0)


def count_units(by_example: np.ndarray, groups: np.ndarray | None) -> int:
    """How many were sampled: the groups of examples, or the N examples [S, N]."""
    return by_example.shape[1] if groups is None else len(np.unique(groups))
