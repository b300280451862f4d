"""Summary statistics of one arm over seeds: centres, deviations, and intervals of the mean and of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from headstart.stats.shares import (
    UNBOUNDED,
    Bounds,
    compute_bounded_interval,
    from_logit,
    to_logit,
)

#: Of every interval and verdict.
LEVEL = 0.95
#: Values that differ by less, in units of the largest, are one: sums of equal numbers differ in a last digit.
_SAME = 1e-12


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


def summarise_values(values: np.ndarray, bounds: Bounds = UNBOUNDED) -> Summary:
    """Figures of `values`, shape [S], with a 95% interval for their mean and one for one more of them.

    The mean's: mean +- t(S-1) std / sqrt(S), Student's, right for normal values; with few seeds it is wide,
    as it should be. Within `bounds` as `stats.shares.compute_bounded_interval` has it. The interquartile mean
    is that of Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice":
    outliers do not move it, and it needs fewer runs than the median. With three values it is their mean.
    """
    n = len(values)
    mean, std = float(np.mean(values)), float(np.std(values, ddof=1)) if n > 1 else None
    low, high = compute_mean_interval(values, bounds)
    one_more_low, one_more_high = predict_one_more(values, bounds) or (None, None)
    return Summary(
        n=n,
        mean=mean,
        std=std,
        std_population=float(np.std(values)),
        low=low,
        high=high,
        median=float(np.median(values)),
        iqm=float(stats.trim_mean(values, 0.25)),
        one_more_low=one_more_low,
        one_more_high=one_more_high,
    )


def predict_one_more(values: np.ndarray, bounds: Bounds = UNBOUNDED) -> tuple[float, float] | None:
    """The 95% prediction interval for one more value like `values` [S]; None without variation.

    mean +- t(S-1) std sqrt(1 + 1/S): right for normal values (Fisher 1935). Within `bounds` of their logits,
    or of logarithms where there is a lower end alone. A value at an end has no logit; then the reach is
    that of `stats.shares.compute_bounded_interval`.
    """
    if not has_variation(values):
        return None
    growth, reach = 1 + 1 / len(values), t_quantile(len(values) - 1)
    if not ((bounds[0] < values) & (values < bounds[1])).all():
        variance = growth * float(np.var(values, ddof=1))
        return compute_bounded_interval(float(values.mean()), variance, reach, bounds)
    logits = np.array([to_logit(float(value), bounds) for value in values])
    middle, half = float(logits.mean()), reach * float(np.std(logits, ddof=1)) * float(np.sqrt(growth))
    return from_logit(middle - half, bounds), from_logit(middle + half, bounds)


def has_variation(values: np.ndarray) -> bool:
    """Whether there are two values that differ by more than rounding."""
    return len(values) > 1 and bool(np.ptp(values) > _SAME * max(1.0, float(np.abs(values).max())))


def compute_mean_interval(
    values: np.ndarray, bounds: Bounds = UNBOUNDED
) -> tuple[float | None, float | None]:
    """Student's t interval of level 95% for the mean of `values` [S]; nothing for one value.

    Nothing either where all values are equal: they show no variation, and an interval of width zero would
    claim certainty.
    """
    if not has_variation(values):
        return None, None
    variance = float(np.var(values, ddof=1)) / len(values)
    return compute_bounded_interval(float(values.mean()), variance, t_quantile(len(values) - 1), bounds)


def t_quantile(df: float) -> float:
    """How many standard errors an interval reaches to either side: Student's t, two-sided."""
    return float(special.stdtrit(df, (1 + LEVEL) / 2))
