"""The chance that one run of an arm beats one run of its control, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from headstart.stats.summary import t_quantile

#: How near to the estimate an end is looked for: there the equation holds of itself.
_NEAR: Final = 1e-12


@dataclass(frozen=True)
class Superiority:
    """The share of pairs of runs in which the arm's is better, ties counting half, with a 95% interval."""

    probability: float
    low: float
    high: float


def estimate_superiority(
    arm: np.ndarray, control: np.ndarray, *, lower_is_better: bool = False
) -> Superiority | None:
    """Of scores [M] and [N] over all M x N pairs of runs; None with fewer than two runs on either side.

    Mann & Whitney 1947: U / (M N). The interval is method 5 of Newcombe 2006 ("Confidence intervals for an
    effect size measure based on the Mann-Whitney statistic. Part 2"), with Student's quantile of M + N - 2
    degrees of freedom in place of the normal one: he looked at samples of five and more, and with three the
    normal one holds 83% (docs/statistics.md).
    """
    n_arm, n_control = len(arm), len(control)
    if min(n_arm, n_control) < 2:
        return None
    mean_sign = (-1 if lower_is_better else 1) * _sum_signs(arm, control) / (n_arm * n_control)
    probability = (1 + mean_sign) / 2
    reach = t_quantile(n_arm + n_control - 2)
    return Superiority(probability, *find_newcombe_ends(probability, n_arm, n_control, reach))


def _sum_signs(arm: np.ndarray, control: np.ndarray) -> int:
    """How many more of the M x N pairs the arm's score is above in than below, without a table of them."""
    ordered = np.sort(control)
    below, not_above = (np.searchsorted(ordered, arm, side) for side in ("left", "right"))
    return int(below.sum() - (len(control) - not_above).sum())


def find_newcombe_ends(theta: float, n_arm: int, n_control: int, reach: float) -> tuple[float, float]:
    """The candidates c with |theta - c| = reach sqrt(V(c)) on both sides of `theta`.

    V(c) = c (1 - c) / (m n) (1 + ((m + n) / 2 - 1) ((1 - c) / (2 - c) + c / (1 + c))), the variance that
    Hanley & McNeil 1982 derive from exponential laws, with both sizes replaced by their mean.
    """

    def excess(candidate: float) -> float:
        spread = (1 - candidate) / (2 - candidate) + candidate / (1 + candidate)
        pairs = n_arm * n_control
        variance = candidate * (1 - candidate) / pairs * (1 + ((n_arm + n_control) / 2 - 1) * spread)
        return float(abs(theta - candidate) - reach * np.sqrt(variance))

    low = optimize.brentq(excess, 0.0, theta - _NEAR) if theta > 0 else 0.0
    high = optimize.brentq(excess, theta + _NEAR, 1.0) if theta < 1 else 1.0
    return float(low), float(high)
