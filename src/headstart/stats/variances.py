"""Variance components of a difference: from assumptions, or from a study, with how uncertain they are.

A difference, arm minus control on one example with one seed, is mean + seed + example + residual, as in
`stats.two_way`. Whether models disagree by what an example is or by chance is the components' main part:
what stays from seed to seed is the examples', and more seeds do not help against it; the rest averages out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from headstart.stats.two_way import compute_mean_squares, tabulate_units

#: Which of the two samples makes an error or an interval wide.
LimitingFactor = Literal["seeds", "examples"]
#: What part of the disagreement of two models is assumed to stay from seed to seed.
PERSISTENT_SHARE: Final = 0.5


@dataclass(frozen=True)
class VarianceComponents:
    """Parts of the variance of one difference, arm minus control on one example with one seed.

    Where examples come in groups, the parts are per example still, and `group_size` is how many examples a
    group has on average: groups are what was sampled.
    """

    seeds: float
    examples: float
    residual: float
    group_size: float = 1.0

    @property
    def persistent_share(self) -> float | None:
        """What part of the variance within a seed stays from seed to seed: the intraclass correlation."""
        within = self.examples + self.residual
        return self.examples / within if within > 0 else None

    def std_error(self, n_seeds: int, n_examples: int) -> float:
        """The standard error of the mean difference."""
        residual = self.residual / (n_seeds * n_examples)
        return float(np.sqrt(self.seeds / n_seeds + self.examples / n_examples + residual))


def assume_variances(
    accuracy: float,
    disagreement: float | None,
    seed_std: float,
    persistent_share: float = PERSISTENT_SHARE,
) -> VarianceComponents:
    """Variances from what people know before a study.

    Args:
        accuracy: share of examples that the models get right, about.
        disagreement: share of examples on which two models differ in being right, which is a difference's
            variance (McNemar 1947); by default that of models which err independently, 2 p (1 - p).
        seed_std: deviation over seeds of the difference, as a share.
        persistent_share: how much of the disagreement is on the same examples, and the same way, with every
            pair of seeds.
    """
    differing = 2 * accuracy * (1 - accuracy) if disagreement is None else disagreement
    persistent = persistent_share * differing
    return VarianceComponents(seeds=seed_std**2, examples=persistent, residual=differing - persistent)


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares A of seeds, B of examples, E of the residual of differences [S, N], or [S, G] of groups.

    They are what a study knows of the variances: A with S - 1 degrees of freedom, which of three seeds is
    two, B with N - 1 and E with (S - 1)(N - 1).
    """

    seeds: float
    examples: float
    residual: float
    n_seeds: int
    n_units: int
    n_examples: int

    def estimate_components(self) -> VarianceComponents:
        """The variances that they estimate, none below zero (Searle, Casella & McCulloch 1992, 4.4)."""
        return self._solve(self.seeds, self.examples, self.residual)

    def draw_components(self, generator: np.random.Generator, n_draws: int) -> list[VarianceComponents]:
        """What the variances may be: each mean square times its degrees of freedom by a chi-squared.

        The fiducial law of a variance, the Bayesian's under a prior of 1 / variance. With two seeds A is at
        least E, as `stats.two_way.estimate_two_way` has it.
        """
        dfs = self.n_seeds - 1, self.n_units - 1, (self.n_seeds - 1) * (self.n_units - 1)
        factors = [df / generator.chisquare(df, n_draws) for df in dfs]
        squares = self.seeds, self.examples, self.residual
        drawn = zip(*(square * factor for square, factor in zip(squares, factors, strict=True)), strict=True)
        return [self._solve(float(a), float(b), float(e)) for a, b, e in drawn]

    def _solve(self, a: float, b: float, e: float) -> VarianceComponents:
        size = self.n_examples / self.n_units
        return VarianceComponents(
            seeds=max(a - e, 0.0) / self.n_units,
            examples=max(b - e, 0.0) / self.n_seeds * size,
            residual=e * size,
            group_size=size,
        )


def measure_mean_squares(differences: np.ndarray, groups: np.ndarray | None = None) -> MeanSquares | None:
    """Of the differences [S, N] of a study that was run; None where there is no variation.

    Args:
        groups: of which group each example is, [N]; by default each is its own.

    Raises:
        ValueError: fewer than two seeds, or than two examples or groups.
    """
    table = tabulate_units(differences, groups)
    if table is None:
        return None
    n_seeds, n_units = table.shape
    squares = compute_mean_squares(table)
    return MeanSquares(*squares, n_seeds=n_seeds, n_units=n_units, n_examples=differences.shape[1])


def measure_variances(differences: np.ndarray, groups: np.ndarray | None = None) -> VarianceComponents | None:
    """The variances that the differences [S, N] of a study estimate; None where there is no variation.

    Args:
        groups: as in `measure_mean_squares`.
    """
    squares = measure_mean_squares(differences, groups)
    return None if squares is None else squares.estimate_components()
