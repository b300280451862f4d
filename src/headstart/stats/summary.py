"""Summary statistics of one arm over seeds: centres, deviations, and intervals of the mean and of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from headstart.stats.shares import (
    UNBOUNDED,
    Bounds,
    compute_bounded_interval,
    find_slope,
    from_logit,
    to_logit,
)

#: Of every interval and verdict, and the chance to err that it leaves.
LEVEL = 0.95
ALPHA = 1 - LEVEL
#: Values that differ by less, in units of the largest, are one: sums of equal numbers differ in a last digit.
_SAME = 1e-12
#: A unit of rounding that was reached by subtracting is off by a few last digits.
_NEARLY = 1e-6


@dataclass(frozen=True)
class Summary:
    """Figures of n values. `std` is the sample's (n - 1), absent for one value, as are the intervals.

    `low` and `high` are of the mean, `one_more_low` and `one_more_high` of one more value. `iqm` is the
    interquartile mean, of the middle half of the values.
    """

    n: int
    mean: float
    std: float | None
    std_population: float
    low: float | None
    high: float | None
    median: float
    iqm: float
    one_more_low: float | None
    one_more_high: float | None


def summarise_values(values: np.ndarray, rounding: float = 0.0, bounds: Bounds = UNBOUNDED) -> Summary:
    """Figures of `values`, shape [S], with a 95% interval for their mean and one for one more of them.

    The mean's: mean +- t(S-1) std / sqrt(S), Student's, right for normal values; with few seeds it is wide,
    as it should be. Within `bounds` as `stats.shares.compute_bounded_interval` has it. The interquartile mean
    is that of Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice":
    outliers do not move it, and it needs fewer runs than the median. With three values it is their mean.

    Args:
        rounding: the unit that values were rounded to, as in `compute_mean_interval`.
    """
    n = len(values)
    low, high = compute_mean_interval(values, rounding, bounds=bounds)
    one_more_low, one_more_high = predict_one_more(values, rounding, bounds) or (None, None)
    return Summary(
        n=n,
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)) if n > 1 else None,
        std_population=float(np.std(values)),
        low=low,
        high=high,
        median=float(np.median(values)),
        iqm=float(stats.trim_mean(values, 0.25)),
        one_more_low=one_more_low,
        one_more_high=one_more_high,
    )


def predict_one_more(
    values: np.ndarray, rounding: float = 0.0, bounds: Bounds = UNBOUNDED
) -> tuple[float, float] | None:
    """The 95% prediction interval for one more value like `values` [S]; None without variation.

    mean +- t(S-1) std sqrt(1 + 1/S): right for normal values (Fisher 1935). Within `bounds` of their logits,
    or of logarithms where there is a lower end alone. A value at an end has no logit; then the reach is
    that of `stats.shares.compute_bounded_interval`.
    """
    if not has_variation(values, rounding):
        return None
    growth, reach = 1 + 1 / len(values), t_quantile(len(values) - 1)
    if not ((bounds[0] < values) & (values < bounds[1])).all():
        variance = growth * add_rounding(float(np.var(values, ddof=1)), rounding)
        return compute_bounded_interval(float(values.mean()), variance, reach, bounds)
    logits = np.array([to_logit(float(value), bounds) for value in values])
    variance = add_rounding(
        float(np.var(logits, ddof=1)), rounding * find_slope(float(values.mean()), bounds)
    )
    middle, half = float(logits.mean()), reach * float(np.sqrt(growth * variance))
    return from_logit(middle - half, bounds), from_logit(middle + half, bounds)


def has_variation(values: np.ndarray, rounding: float = 0.0) -> bool:
    """Whether there are two values that differ by more than a computer's rounding, and than `rounding`."""
    if len(values) < 2:
        return False
    same = max(_SAME * max(1.0, float(np.abs(values).max())), rounding * (1 + _NEARLY))
    return bool(np.ptp(values) > same)


def add_rounding(variance: float, rounding: float, n_scores: int = 1) -> float:
    """A sample variance with what rounding to units of `rounding` may hide of it.

    An error of rounding is uniform within half a unit, so each of the `n_scores` that a value is made of has
    rounding^2 / 12 (Sheppard 1898). It is added, and not taken off as Sheppard does: where few values happen
    to be rounded alike, the sample shows too little.
    """
    return variance + n_scores * rounding**2 / 12


def compute_mean_interval(
    values: np.ndarray, rounding: float = 0.0, n_scores: int = 1, bounds: Bounds = UNBOUNDED
) -> tuple[float | None, float | None]:
    """Student's t interval of level 95% for the mean of `values` [S]; nothing for one value.

    Nothing either where all values are equal, or within `rounding` of each other: they show no variation,
    and an interval of width zero would claim certainty.

    Args:
        rounding: the unit that scores were rounded to; 0 where they were not.
        n_scores: how many rounded scores a value is made of: two of a difference.
    """
    if not has_variation(values, rounding):
        return None, None
    variance = add_rounding(float(np.var(values, ddof=1)), rounding, n_scores) / len(values)
    return compute_bounded_interval(float(values.mean()), variance, t_quantile(len(values) - 1), bounds)


def t_quantile(df: float) -> float:
    """How many standard errors an interval reaches to either side: Student's t, two-sided."""
    return float(special.stdtrit(df, (1 + LEVEL) / 2))
