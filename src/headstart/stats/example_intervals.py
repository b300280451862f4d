"""The interval of one arm over test examples: of these models, on other examples of the same kind."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from headstart.stats.resample import compute_percentile_interval
from headstart.stats.shares import (
    Bounds,
    compute_logit_interval,
    compute_wilson_interval,
)
from headstart.stats.summary import t_quantile
from headstart.stats.two_way import sum_groups

#: How many examples' worth of evidence says, before any is seen, that models err on the same examples.
_PRIOR_EXAMPLES: Final = 2.0


def estimate_examples_interval(
    mean: float,
    by_example: np.ndarray | None,
    resampled: np.ndarray | None,
    bounds: Bounds,
    *,
    groups: np.ndarray | None = None,
    is_correlation: bool = False,
) -> tuple[float, float] | None:
    """The 95% interval for the mean of S models over all examples; None where nothing tells its variance.

    Figures with two ends have Wilson's interval with the number of independent examples that the variance
    over examples stands for, correlations of numbers Fisher's z; all others the percentiles of resamples.

    Args:
        mean: the models' mean on the test examples.
        by_example: parts [S, N] whose means over examples are the scores; None where a metric has none.
        resampled: the scores [S, D] on resampled examples; None where these are not known.
        groups: of which group each example is, [N]; by default each is its own.
        is_correlation: of two numbers an example, whose z has a variance that hardly depends on it.
    """
    has_ends = math.isfinite(bounds[0]) and math.isfinite(bounds[1])
    if has_ends and by_example is not None:
        return _estimate_by_parts(mean, _average_units(by_example, groups), bounds, is_correlation)
    if resampled is None:
        return None
    means = resampled.mean(0)
    variance = float(means.var(ddof=1))
    if has_ends and variance > 0 and bounds[0] < mean < bounds[1]:
        return compute_logit_interval(mean, variance, t_quantile(np.inf), bounds)
    return compute_percentile_interval(means)


def _estimate_by_parts(
    mean: float, values: np.ndarray, bounds: Bounds, is_correlation: bool
) -> tuple[float, float] | None:
    """Of the means over models [N] of each example, or group of examples."""
    n_units = len(values)
    if n_units < 2:
        return None
    (low, high), reach = bounds, t_quantile(n_units - 1)
    variance = float(values.var(ddof=1)) / n_units
    if is_correlation and variance > 0 and low < mean < high:
        return compute_logit_interval(mean, variance, reach, bounds)
    share, width = (mean - low) / (high - low), high - low
    ends = compute_wilson_interval(share, count_effective_examples(share, (values - low) / width), reach)
    return low + width * ends[0], low + width * ends[1]


def count_effective_examples(share: float, values: np.ndarray) -> float:
    """How many independent draws have the variance of the mean that `values` [N] show: p (1 - p) / v.

    Kish 1965's effective sample size; with Wilson's interval and Student's quantile as Franco, Little, Louis
    & Slud 2019 found best among intervals of proportions in surveys ("Comparative study of confidence
    intervals for proportions in complex sample surveys"). At most two additions are our own. Where v is zero,
    since every model is right on every example, n is N. And where few examples hold all errors v says little:
    it is drawn towards that of models which err on the same examples, p (1 - p) / N, the more the fewer
    examples it rests on, (sum d^2)^2 / sum d^4 of deviations d.
    """
    n_units = len(values)
    deviations = values - values.mean()
    squares = float(deviations @ deviations)
    most = share * (1 - share) / n_units  # of models that are right on the same examples
    variance = squares / (n_units - 1) / n_units
    if most <= 0 or squares <= 0:
        return float(n_units)
    weight = squares**2 / float((deviations**4).sum())
    drawn = (weight * variance + _PRIOR_EXAMPLES * most) / (weight + _PRIOR_EXAMPLES)
    return share * (1 - share) / max(variance, drawn)


def _average_units(by_example: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Means over models of each example, or of each group of them: [N] or [G]."""
    table = by_example if groups is None else sum_groups(by_example, groups)
    return np.asarray(table.mean(0))
