"""The Behrens-Fisher law of a mean's error: a part that few seeds estimate, plus one that examples do.

With S seeds the part of seeds is a t(S - 1) times its standard error; with G examples, or groups of them,
the other is a t(G - 1), which is normal where G is large. Their sum has no closed form (Behrens 1929; Fisher
1935, "The fiducial argument in statistical inference"); given the true variances it is normal, so its tail is
the mean of normal tails over what the variances may be: s^2 df / q with q a chi-squared of df.

In contrast to Satterthwaite's t, it never forgets that a seeds' part that looks small may be so by luck.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from scipy import special, stats

#: Degrees of freedom above which a part is as good as normal: its tail at 0.001 is then right to 1%.
_NORMAL_DF: Final = 5000.0
#: Degrees of freedom below which a rule of quadrature holds, its nodes, and the power that crowds them where
#: variances are large, which decide tails. Tails are right to 1e-5 below 20, and to 2e-4 above.
_RULES: Final = ((20.0, 64, 6), (math.inf, 24, 3))
_TINY: Final = 1e-300
_ROOT_2_PI: Final = math.sqrt(2 * math.pi)
#: Most steps in which a reach is searched, and how near two of them are when it is found.
_STEPS: Final = 60
_SAME: Final = 1e-12


def compute_two_sided_p(
    deviation: np.ndarray | float,
    seeds: np.ndarray | float,
    examples: np.ndarray | float,
    seeds_df: float,
    examples_df: float = np.inf,
) -> np.ndarray:
    """The chance of an error at least as far from zero as `deviation`; arguments broadcast.

    Args:
        seeds: estimated variance of the mean from seeds, of `seeds_df` degrees of freedom.
        examples: that from examples, of `examples_df`.
    """
    return _compute_tail(deviation, seeds, examples, seeds_df, examples_df)[0]


def _compute_tail(
    deviation: np.ndarray | float,
    seeds: np.ndarray | float,
    examples: np.ndarray | float,
    seeds_df: float,
    examples_df: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The two-sided tail beyond `deviation`, and by how much it shrinks with it."""
    scale_s, weight_s = _list_scales(seeds_df)
    scale_e, weight_e = _list_scales(examples_df)
    far, of_seeds, of_examples = (
        np.asarray(value, float)[..., None, None] for value in (deviation, seeds, examples)
    )
    weights = 2 * weight_s[:, None] * weight_e
    # A variance of zero leaves no error: only a deviation of zero has a tail then.
    deviations = np.sqrt(np.maximum(of_seeds * scale_s[:, None] + of_examples * scale_e, _TINY))
    z = np.abs(far) / deviations
    density = np.exp(-(z**2) / 2) / (_ROOT_2_PI * deviations)
    return (special.ndtr(-z) * weights).sum((-2, -1)), (density * weights).sum((-2, -1))


def find_reach(
    alpha: float,
    seeds: np.ndarray | float,
    examples: np.ndarray | float,
    seeds_df: float,
    examples_df: float = np.inf,
) -> np.ndarray:
    """How far an interval of level 1 - `alpha` reaches to either side; arguments as in
    `compute_two_sided_p`."""
    of_seeds, of_examples = np.broadcast_arrays(np.asarray(seeds, float), np.asarray(examples, float))
    if not of_examples.any():  # Student's own, to the last digit
        return np.asarray(stats.t.isf(alpha / 2, seeds_df) * np.sqrt(of_seeds))
    low = np.zeros(of_seeds.shape)
    # Of either part alone with half the chance to err; their sum errs no more often than both together.
    high = stats.t.isf(alpha / 4, seeds_df) * np.sqrt(of_seeds)
    high = high + _isf(alpha / 4, examples_df) * np.sqrt(of_examples)
    middle = high / 2
    for _ in range(_STEPS):
        p, slope = _compute_tail(middle, of_seeds, of_examples, seeds_df, examples_df)
        is_inside = p > alpha
        low, high = np.where(is_inside, middle, low), np.where(is_inside, high, middle)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = middle + np.log(p / alpha) * p / slope  # Newton's, of the logarithm
        # The ends too: one that has been found is an end, and stays there while others are searched.
        is_good = (step >= low) & (step <= high)
        following = np.where(is_good, step, (low + high) / 2)
        if np.all(np.abs(following - middle) <= _SAME * high):
            break
        middle = following
    return np.asarray(following)


def _isf(share: float, df: float) -> float:
    return float(stats.norm.isf(share) if df > _NORMAL_DF else stats.t.isf(share, df))


@cache
def _list_scales(df: float) -> tuple[np.ndarray, np.ndarray]:
    """By what a variance estimated with `df` may have to be multiplied, with weights: [K], [K]."""
    if df > _NORMAL_DF:
        return np.ones(1), np.ones(1)
    quantiles, weights = list_chi_squared(df)
    return df / quantiles, weights


@cache
def list_chi_squared(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of the chi-squared law with weights [K], [K], so that means over it are weighted sums.

    Gauss-Legendre on the quantiles' shares u = v^k, since the small ones, where a variance was
    underestimated, make the tail.
    """
    n_nodes, power = next((n, k) for below, n, k in _RULES if df < below)
    places, weights = np.polynomial.legendre.leggauss(n_nodes)
    v = (places + 1) / 2
    return stats.chi2.ppf(v**power, df), weights / 2 * power * v ** (power - 1)
