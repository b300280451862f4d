"""Intervals of shares, and of other figures that have ends, which never reach beyond those ends."""

from __future__ import annotations

import math
from typing import Final

#: The least and the most that a figure can be: (0, 1) for a share, (-1, 1) for a correlation.
Bounds = tuple[float, float]
UNBOUNDED: Final[Bounds] = (-math.inf, math.inf)


def compute_wilson_interval(share: float, n: float, reach: float) -> tuple[float, float]:
    """The shares that `share` of `n` does not exclude: Wilson 1927's score interval.

    |share - p| <= reach sqrt(p (1 - p) / n), solved for p: the deviation is that of the candidate, so no end
    is beyond 0 or 1, and a share of 1 still has a lower end.

    Args:
        n: a number of draws, or the number of independent ones that would have the same variance.
        reach: how many standard errors it reaches to either side.
    """
    spread = reach**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    # Of shares of 0 and 1 the last digit is not theirs: the share itself is always inside.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def compute_bounded_interval(
    mean: float, variance: float, reach: float, bounds: Bounds = UNBOUNDED
) -> tuple[float, float]:
    """The interval for a mean whose estimate has this `variance`, above zero, within `bounds`.

    With two ends Wilson's, for the n that gives the variance, p (1 - p) / n; with a lower end alone its
    limit where the upper one is far, a variance that grows as the mean does; without ends the plain
    mean +- reach sqrt(variance).
    """
    low, high = bounds
    if not low < mean < high or math.isinf(low):
        half = reach * math.sqrt(variance)
        return mean - half, mean + half
    if math.isinf(high):
        half_spread = reach**2 * variance / (mean - low) / 2
        half = math.sqrt(half_spread**2 + 2 * half_spread * (mean - low))
        return max(low, mean + half_spread - half), mean + half_spread + half
    share, width = (mean - low) / (high - low), high - low
    ends = compute_wilson_interval(share, share * (1 - share) * width**2 / variance, reach)
    return low + width * ends[0], low + width * ends[1]


def compute_logit_interval(mean: float, variance: float, reach: float, bounds: Bounds) -> tuple[float, float]:
    """The same on the scale of the logit, strictly between `bounds`, which is Fisher's z for a correlation.

    The variance there is that of the mean over its derivative's square (delta method). Fisher 1921: a
    correlation's z has nearly the same variance wherever it lies.
    """
    middle, half = to_logit(mean, bounds), reach * math.sqrt(variance) * find_slope(mean, bounds)
    return from_logit(middle - half, bounds), from_logit(middle + half, bounds)


def to_logit(value: float, bounds: Bounds) -> float:
    """A value strictly between `bounds` on a scale without ends: the logit, or with one end the logarithm."""
    low, high = bounds
    if math.isinf(low):
        return value
    return math.log(value - low) - (0.0 if math.isinf(high) else math.log(high - value))


def find_slope(value: float, bounds: Bounds) -> float:
    """By how much `to_logit` rises with a value strictly between `bounds`."""
    low, high = bounds
    if math.isinf(low):
        return 1.0
    return 1 / (value - low) if math.isinf(high) else (high - low) / ((value - low) * (high - value))


def from_logit(value: float, bounds: Bounds) -> float:
    """The inverse of `to_logit`."""
    low, high = bounds
    if math.isinf(low):
        return value
    if math.isinf(high):
        return low + math.exp(value)
    # Of a large negative number the exponential has no number, of its opposite it is zero.
    share = 1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))
    return low + (high - low) * share
