"""Summary statistics of one arm over seeds: mean, standard deviations and an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

#: Of every interval and verdict.
LEVEL = 0.95
#: Values that differ by less, in units of the largest, are one: sums of equal numbers differ in a last digit.
_SAME = 1e-12
#: A unit of rounding that was reached by subtracting is off by a few last digits.
_NEARLY = 1e-6


@dataclass(frozen=True)
class Summary:
    """Figures of n values. `std` is the sample's (n - 1), absent for one value, as is the interval."""

    n: int
    mean: float
    std: float | None
    std_population: float
    low: float | None
    high: float | None


def summarise_values(values: np.ndarray, rounding: float = 0.0) -> Summary:
    """Mean and deviations of `values`, shape [S], with Student's t interval for the mean.

    mean +- t(S-1) std / sqrt(S): right for normal values; with few seeds it is wide, as it should be.

    Args:
        rounding: the unit that values were rounded to, as in `compute_mean_interval`.
    """
    n = len(values)
    std = float(np.std(values, ddof=1)) if n > 1 else None
    low, high = compute_mean_interval(values, rounding)
    return Summary(n, float(np.mean(values)), std, float(np.std(values)), low, high)


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
    values: np.ndarray, rounding: float = 0.0, n_scores: int = 1
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
    mean = float(values.mean())
    variance = add_rounding(float(np.var(values, ddof=1)), rounding, n_scores)
    std_error = float(np.sqrt(variance / len(values)))
    reach = t_quantile(len(values) - 1) * std_error
    return mean - reach, mean + reach


def t_quantile(df: float) -> float:
    """How many standard errors an interval reaches to either side: Student's t, two-sided."""
    return float(special.stdtrit(df, (1 + LEVEL) / 2))
