"""Summary statistics of one arm over seeds: mean, standard deviations and an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

#: Of every interval and verdict.
LEVEL = 0.95
#: Values that differ by less, in units of the largest, are one: sums of equal numbers differ in a last digit.
_SAME = 1e-12


@dataclass(frozen=True)
class Summary:
    """Figures of n values. `std` is the sample's (n - 1), absent for one value, as is the interval."""

    n: int
    mean: float
    std: float | None
    std_population: float
    low: float | None
    high: float | None


def summarise_values(values: np.ndarray) -> Summary:
    """Mean and deviations of `values`, shape [S], with Student's t interval for the mean.

    mean +- t(S-1) std / sqrt(S): right for normal values; with few seeds it is wide, as it should be.
    """
    n = len(values)
    std = float(np.std(values, ddof=1)) if n > 1 else None
    low, high = compute_mean_interval(values)
    return Summary(n, float(np.mean(values)), std, float(np.std(values)), low, high)


def has_variation(values: np.ndarray) -> bool:
    """Whether there are two values that differ by more than rounding."""
    return len(values) > 1 and bool(np.ptp(values) > _SAME * max(1.0, float(np.abs(values).max())))


def compute_mean_interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """Student's t interval of level 95% for the mean of `values` [S]; nothing for one value.

    Nothing either where all values are equal: they show no variation, and an interval of width zero would
    claim certainty.
    """
    if not has_variation(values):
        return None, None
    mean = float(values.mean())
    std_error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    reach = t_quantile(len(values) - 1) * std_error
    return mean - reach, mean + reach


def t_quantile(df: float) -> float:
    """How many standard errors an interval reaches to either side: Student's t, two-sided."""
    return float(special.stdtrit(df, (1 + LEVEL) / 2))
