"""A confidence interval that is valid after every seed: bets on signs of differences, not on normality.

If seeds are drawn alike and independently, a difference lies above their median as often as below it. An
e-process bets on one side being the more frequent: with k of n differences above a candidate, its wealth is
2^n B(k + 1/2, n - k + 1/2) / B(1/2, 1/2), the mixture of Krichevsky & Trofimov 1981. By Ville's inequality
(1939) the wealth against the true median ever reaches 1 / alpha with a chance of at most alpha, whenever one
looks and stops. Candidates that were lost to are out; those that remain are the interval (Howard & Ramdas
2022, "Sequential estimation of quantiles", has the idea with another bet).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from scipy.special import betaln

from headstart.stats.summary import ALPHA

#: The mixture's prior: half an observation on each side.
_PRIOR: Final = 0.5


def log_wealth(n_above: int, n_seeds: int) -> float:
    """Logarithm of the wealth of the bet against a median that `n_above` of so many differences exceed."""
    mixed = betaln(_PRIOR + n_above, _PRIOR + n_seeds - n_above) - betaln(_PRIOR, _PRIOR)
    return float(mixed + n_seeds * np.log(2))


@cache
def count_required_signs(n_seeds: int, alpha: float = ALPHA) -> int | None:
    """How many of so many differences must lie on one side of a candidate for it to be out; None: never.

    Args:
        alpha: the chance that the true median is ever out.
    """
    limit = -np.log(alpha)
    sides = range(-(-n_seeds // 2), n_seeds + 1)
    return next((n_above for n_above in sides if log_wealth(n_above, n_seeds) >= limit), None)


def compute_confidence_sequence(differences: np.ndarray, alpha: float = ALPHA) -> tuple[float, float] | None:
    """The confidence sequence of the median of paired differences [S], at S; None with too few seeds.

    Its ends are differences themselves: those that the required signs leave on either side. Equal
    differences are allowed. Valid at every S at once, so at whichever one stops; it covers seeds, not test
    examples (`stats.sequential` adds these).

    Args:
        alpha: the chance that it ever misses the median; 5% over the number of sequences that shall all hold.
    """
    required = count_required_signs(len(differences), alpha)
    if required is None:
        return None
    ordered = np.sort(differences)
    return float(ordered[len(differences) - required]), float(ordered[required - 1])
