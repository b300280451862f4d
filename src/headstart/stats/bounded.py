"""Ends of intervals for differences that have limits: near a limit little can vary, and at it nothing.

A difference of two shares lies within -1 and 1. Of numbers within -L and L whose mean is c the variance is at
most L^2 - c^2 (Bhatia & Davis 2000, "A better bound on the variance"). So an interval is the candidates c
that a test does not reject whose error is the one that was estimated, but never more than a mean of c lets
it be: |mean - c| <= reach(c). It ends before a limit instead of being cut there.

A sample of n numbers with mean m shows a variance of their mean of (L^2 - m^2) / (n - 1) at most. So up to
|c| = |m| nothing changes, zero among these: whether it is left out, and its p, are as without limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from scipy import optimize

#: How near an end is found, in units of the limit.
_NEAR: Final = 1e-9


def limit_variance(variance: float, df: float, mean: float, candidate: float, limit: float) -> float:
    """What the `variance` of a mean, estimated with `df`, can be where the true mean is `candidate`.

    It is at most (L^2 - c^2) / df, or in the same proportion more where the estimate itself is beyond that at
    its own mean, as pseudo-values can be.
    """
    if math.isinf(limit) or variance <= 0:
        return variance
    room, room_of_mean = limit**2 - candidate**2, limit**2 - mean**2
    share = 1 / df if room_of_mean <= 0 else max(1 / df, variance / room_of_mean)
    return min(variance, max(room, 0.0) * share)


def find_end(start: float, plain: float, limit: float, find_reach: Callable[[float], float]) -> float:
    """The end of an interval on the side of `plain`: the farthest candidate that is not rejected.

    Args:
        start: where the interval is centred, from which ends reach.
        plain: the end without a limit.
        find_reach: how far from the centre a candidate may lie; it never rises towards the limit, is zero at
            it, and is the plain reach where nothing is limited.
    """
    if math.isinf(limit) or abs(plain - start) <= find_reach(plain) * (1 + _NEAR):
        return plain
    side = math.copysign(1.0, plain - start)
    if start * side >= limit:  # every figure was at the limit
        return side * limit
    last = plain if abs(plain) < limit else side * limit
    return float(
        optimize.brentq(
            lambda candidate: abs(candidate - start) - find_reach(candidate), start, last, xtol=_NEAR * limit
        )
    )
