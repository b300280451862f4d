"""Whether what `headstart power` tells is so: differences that simulated models show four times in five.

Cases of `benchmarks/coverage.py`: `power` compares what is told of assumptions with what the project's own
test shows of simulated models, and `ranges` counts how often the range that a study of few seeds gives holds
what a further one shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, stats

from headstart.stats.power import POWER, detectable_difference
from headstart.stats.power_ranges import PowerRanges
from headstart.stats.two_way import estimate_two_way
from headstart.stats.variances import VarianceComponents, assume_variances, measure_mean_squares

#: Of two arms with their mean accuracy, and the deviation over seeds of their difference.
ACCURACY, SEED_STD = 0.8, 0.01
#: How much arms differ in what they find hard, in units of an answer's noise; as in the other cases: little.
LEANS: Final = {"little": 0.5, "much": 1.9}


@dataclass(frozen=True)
class LatentModels:
    """Two arms whose answers are right where hardness + lean + shift of the seed + noise is above zero.

    Deviations in units of the noise: 1 of hardness, which arms share, `lean` of what only one finds hard.
    """

    lean: float

    @property
    def shift(self) -> float:
        """The deviation of an arm's seeds at which their difference's is `SEED_STD`."""
        slope = float(stats.norm.pdf(stats.norm.ppf(ACCURACY)))
        fixed = 2 + self.lean**2
        return float(
            optimize.brentq(lambda s: np.sqrt(2) * slope * s / np.sqrt(fixed + s**2) - SEED_STD, 0, 1)
        )

    def compute_components(self) -> VarianceComponents:
        """The true variances of a difference in being right, of arms with this accuracy both."""
        variance, limit = 2 + self.lean**2 + self.shift**2, stats.norm.ppf(ACCURACY)
        same, other = (
            float(stats.multivariate_normal.cdf([limit, limit], cov=[[1, rho], [rho, 1]])) - ACCURACY**2
            for rho in ((1 + self.lean**2) / variance, 1 / variance)
        )
        spread = ACCURACY * (1 - ACCURACY)
        return VarianceComponents(
            seeds=SEED_STD**2, examples=2 * (same - other), residual=2 * (spread - same)
        )

    def draw_differences(
        self, draws: np.random.Generator, n_seeds: int, n_examples: int, difference: float
    ) -> np.ndarray:
        """The arm's answers minus its control's [S, N], their accuracies `difference` apart."""
        hard, deviation = draws.normal(size=n_examples), np.sqrt(2 + self.lean**2 + self.shift**2)
        right = []
        for accuracy in (ACCURACY + difference / 2, ACCURACY - difference / 2):
            latent = hard + self.lean * draws.normal(size=n_examples) + deviation * stats.norm.ppf(accuracy)
            latent = latent + self.shift * draws.normal(size=(n_seeds, 1))
            right.append((latent + draws.normal(size=(n_seeds, n_examples)) > 0).astype(float))
        return np.asarray(right[0] - right[1])

    def find_detectable(self, n_seeds: int, n_examples: int, alpha: float, repeats: int) -> float:
        """The difference that the project's own test shows in four of five simulated studies, to 1%."""
        low, high = 0.0, 2 * (1 - ACCURACY)
        while high - low > 0.01 * high:
            middle = (low + high) / 2
            # Every difference with the same draws, so that the share rises with it nearly without noise.
            draws = np.random.default_rng([n_seeds, n_examples])
            tables = (self.draw_differences(draws, n_seeds, n_examples, middle) for _ in range(repeats))
            is_enough = np.mean([_is_shown(table, alpha) for table in tables]) >= POWER
            low, high = (low, middle) if is_enough else (middle, high)
        return (low + high) / 2


def _is_shown(differences: np.ndarray, alpha: float) -> bool:
    estimate = estimate_two_way(differences)
    return estimate is not None and estimate.mean > 0 and estimate.p < alpha


def simulate_power(options: argparse.Namespace) -> Iterator[list[str]]:
    """What is told of assumptions, with the disagreement that the models have, and what they show."""
    yield [
        "examples",
        "seeds",
        "arms differ",
        "level",
        "that stays",
        "shown",
        "told",
        "told, half stays",
        "told, all stays",
    ]
    for n_examples in options.examples:
        for n_seeds in options.seeds:
            for name, lean in LEANS.items():
                for n_tests in (1, 15):
                    cells = _compare_power(
                        LatentModels(lean), n_seeds, n_examples, 0.05 / n_tests, options.repeats
                    )
                    level = "5%" if n_tests == 1 else "5% / 15"
                    yield [str(n_examples), str(n_seeds), name, level, *cells]


def _compare_power(
    models: LatentModels, n_seeds: int, n_examples: int, alpha: float, repeats: int
) -> Iterator[str]:
    true = models.compute_components()
    differing, persistent = true.examples + true.residual, true.persistent_share or 0.0
    yield f"{100 * persistent:.0f}%"
    yield f"{100 * models.find_detectable(n_seeds, n_examples, alpha, repeats):.1f}"
    for share in (persistent, 0.5, 1.0):
        assumed = assume_variances(ACCURACY, differing, SEED_STD, share)
        yield f"{100 * detectable_difference(assumed, n_seeds, n_examples, alpha=alpha):.1f}"


def simulate_ranges(options: argparse.Namespace) -> Iterator[list[str]]:
    """How often the range that a study gives of what another of its size detects holds the truth."""
    yield ["examples", "seeds", "arms differ", "truth", "held by the range (80% nominal)", "its mean ends"]
    for n_examples in options.examples:
        for n_seeds in options.seeds:
            for name, lean in LEANS.items():
                models, draws = LatentModels(lean), np.random.default_rng([n_examples, n_seeds])
                truth = detectable_difference(models.compute_components(), n_seeds, n_examples)
                ranges = np.array(
                    [_measure_range(models, draws, n_seeds, n_examples) for _ in range(options.repeats)]
                )
                held = np.mean((ranges[:, 0] <= truth) & (truth <= ranges[:, 1]))
                low, high = 100 * ranges.mean(0)
                ends = f"{low:.1f} to {high:.1f}"
                yield [str(n_examples), str(n_seeds), name, f"{100 * truth:.1f}", f"{100 * held:.0f}%", ends]


def _measure_range(
    models: LatentModels, draws: np.random.Generator, n_seeds: int, n_examples: int
) -> tuple[float, float]:
    squares = measure_mean_squares(models.draw_differences(draws, n_seeds, n_examples, 0.0))
    assert squares is not None
    return PowerRanges(squares, draws).detectable_difference(n_seeds, n_examples)
