"""A confidence interval of a normal mean that is valid after every seed: bets on the standardised effect.

Wang & Ramdas 2024, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance":
with a prior N(0, 1) on the effect mean / sigma, and the right-Haar prior on sigma under both hypotheses, the
ratio of what the data weigh under either is an e-process against a mean of zero, whatever sigma is. With
t^2 = n mean^2 / s^2, nu = n - 1 and g = 1 it is

    e = (1 + n g)^(-1/2) [(1 + t^2 / nu) / (1 + t^2 / (nu (1 + n g)))]^(n / 2)

(Goenen, Johnson, Lu & Westfall 2005, "The Bayesian two-sample t test", have the same ratio). By Ville's
inequality (1939) it ever reaches 1 / alpha with a chance of at most alpha **where differences are normal**:
in contrast to `stats.confidence_sequence`, which needs no law, a seed that collapses can mislead it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from headstart.stats.bounded import find_end, limit_variance
from headstart.stats.summary import ALPHA, has_variation

#: Variance of the prior on the standardised effect.
_G: Final = 1.0


def log_e_value(differences: np.ndarray) -> float:
    """Logarithm of the e-value of `differences` [S] against a mean of zero."""
    n = len(differences)
    ratio = n * differences.mean() ** 2 / np.var(differences, ddof=1) / (n - 1)
    spread = 1 + n * _G
    return float((n * (np.log1p(ratio) - np.log1p(ratio / spread)) - np.log(spread)) / 2)


def find_reach_in_deviations(n_seeds: int, alpha: float = ALPHA) -> float | None:
    """How many sample deviations the interval reaches to either side of the mean; None: without an end.

    The e-value of differences from a candidate, solved for the candidate: with w = (sqrt(1 + n g) /
    alpha)^(2 / n), those that remain have t^2 / nu < x = (w - 1) / (1 - w / (1 + n g)).
    """
    spread = 1 + n_seeds * _G
    w = (np.sqrt(spread) / alpha) ** (2 / n_seeds)
    if n_seeds < 2 or w >= spread:
        return None
    x = (w - 1) / (1 - w / spread)
    return float(np.sqrt(x * (n_seeds - 1) / n_seeds))


def compute_t_sequence(
    differences: np.ndarray, alpha: float = ALPHA, limit: float = math.inf
) -> tuple[float, float] | None:
    """The confidence sequence of the mean of normal paired differences [S], at S.

    None with too few seeds, and where all differences are equal, which normal ones never are.

    Args:
        alpha: the chance that it ever misses the mean.
        limit: the most that a difference can be, to either side; no end is beyond (`stats.bounded`).
    """
    reach = find_reach_in_deviations(len(differences), alpha)
    if reach is None or not has_variation(differences):
        return None
    n, mean, variance = len(differences), float(differences.mean()), float(np.var(differences, ddof=1))

    def find_reach(candidate: float) -> float:
        # The sample's variance and not the mean's: n values of it, with n - 1 degrees of freedom.
        return reach * math.sqrt(limit_variance(variance, (n - 1) / n, mean, candidate, limit))

    plain = reach * math.sqrt(variance)
    low, high = (find_end(mean, end, limit, find_reach) for end in (mean - plain, mean + plain))
    return low, high
