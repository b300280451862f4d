"""An interval that may be looked at after every seed: bets on signs of differences; assumes no normality.

If seeds are drawn alike and independently, a difference lies above their median as often as below it. An
e-process bets on one side being the more frequent: with k of n differences above a candidate, its wealth is
2^n B(k + 1/2, n - k + 1/2) / B(1/2, 1/2), the mixture of Krichevsky & Trofimov 1981. By Ville's inequality
(1939) the wealth against the true median ever reaches 1 / alpha with a chance of at most alpha, whenever one
looks and stops. Candidates that were lost to are out; the rest is the interval (Howard & Ramdas 2022,
"Sequential estimation of quantiles", has the idea with another bet).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from scipy.special import betaln

from headstart.stats.summary import LEVEL

#: The mixture's prior: half an observation on each side.
_PRIOR: Final = 0.5


def log_wealth(above: int, seeds: int) -> float:
    """Logarithm of the wealth of the bet against a median that `above` of so many differences exceed."""
    mixed = betaln(_PRIOR + above, _PRIOR + seeds - above) - betaln(_PRIOR, _PRIOR)
    return float(mixed + seeds * np.log(2))


@cache
def signs_needed(seeds: int, tests: int = 1) -> int | None:
    """How many of so many differences must lie on one side of a candidate for it to be out; None: never.

    Args:
        tests: sequences that shall all hold at once; each has 1 / tests of the chance to err (Bonferroni).
    """
    limit = np.log(tests / (1 - LEVEL))
    sides = range(-(-seeds // 2), seeds + 1)
    return next((above for above in sides if log_wealth(above, seeds) >= limit), None)


def fewest_seeds(tests: int = 1) -> int:
    """The fewest seeds with which `sequence_interval` has ends: 7 for one test, 8 for two."""
    seeds = 2
    while signs_needed(seeds, tests) is None:
        seeds += 1
    return seeds


def sequence_interval(gaps: np.ndarray, tests: int = 1) -> tuple[float, float] | None:
    """The 95% confidence sequence of the median of paired differences [S], at S; None with too few seeds.

    Its ends are differences themselves: those that needed signs leave on either side. Equal differences are
    allowed. Valid at every S at once, so at whichever one stops; it covers seeds, not test texts.
    """
    needed = signs_needed(len(gaps), tests)
    if needed is None:
        return None
    ordered = np.sort(gaps)
    return float(ordered[len(gaps) - needed]), float(ordered[needed - 1])
