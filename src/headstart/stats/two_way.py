"""Mean differences over S seeds and N test examples at once, with the variance of both samples.

The differences of a study, arm minus control, are a table [S, N] in which seeds and examples are crossed:
every seed is tested on every example. Both are samples. So an interval over seeds alone holds for this
test set only, and one over examples alone for these models only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from headstart.stats.summary import compute_mean_interval, has_variation, t_quantile


@dataclass(frozen=True)
class TwoWayEstimate:
    """A mean with its standard error, degrees of freedom and 95% interval.

    `seeds`, `examples` and `residual` are the parts of the mean's variance that come from seeds, from
    examples, and from neither.
    """

    mean: float
    std_error: float
    df: float
    low: float
    high: float
    seeds: float
    examples: float
    residual: float

    @property
    def p(self) -> float:
        """Two-sided p of a true mean of zero, by the t distribution around the estimate."""
        return float(2 * stats.t.sf(abs(self.mean) / self.std_error, self.df))

    @property
    def fiducial_prob_positive(self) -> float:
        """The fiducial probability that the true mean is above zero, by the same t distribution."""
        return float(stats.t.sf(-self.mean / self.std_error, self.df))


def estimate_two_way(differences: np.ndarray) -> TwoWayEstimate | None:
    """The mean of `differences` [S, N] with a t interval over seeds and examples; None without variation.

    A difference is mean + seed + example + residual, each part of mean zero and independent: the two-way
    model with random effects (Searle, Casella & McCulloch 1992, "Variance components", section 4.3), which
    is also that of many readers and many cases in radiology (Dorfman, Berbaum & Metz 1992). With mean squares
    A of seeds, B of examples and E of the residual, the mean's variance is (A + B - E) / (S N); its degrees
    of freedom are Satterthwaite's (1946). Negative parts are taken as zero: the variance is at least that of
    seeds or of examples alone.

    Raises:
        ValueError: fewer than two seeds or examples.
    """
    n_seeds, n_examples = differences.shape
    if n_seeds < 2 or n_examples < 2:
        raise ValueError(f"differences of shape {differences.shape}; at least two seeds and two examples")
    mean = float(differences.mean())
    by_seed, by_example = differences.mean(1) - mean, differences.mean(0) - mean
    residuals = differences - mean - by_seed[:, None] - by_example[None, :]
    a = n_examples * float(by_seed @ by_seed) / (n_seeds - 1)
    b = n_seeds * float(by_example @ by_example) / (n_examples - 1)
    e = float((residuals**2).sum()) / ((n_seeds - 1) * (n_examples - 1))
    cells = n_seeds * n_examples
    total = max(a + b - e, a, b)
    if total <= 0 or not has_variation(differences.ravel()):
        return None
    df = satterthwaite_df(total, a, b, e, n_seeds, n_examples)
    std_error = float(np.sqrt(total / cells))
    reach = t_quantile(df) * std_error
    parts = (max(a - e, 0.0) / cells, max(b - e, 0.0) / cells, e / cells)
    return TwoWayEstimate(mean, std_error, df, mean - reach, mean + reach, *parts)


def estimate_difference(by_seed: np.ndarray, by_example: np.ndarray | None) -> TwoWayEstimate | None:
    """The mean difference over seeds and examples where examples are known, else over seeds.

    Args:
        by_seed: differences [S].
        by_example: differences [S, N], or None.

    Returns:
        None without variation.
    """
    if len(by_seed) < 2:
        return None
    if by_example is not None and by_example.shape[1] > 1:
        return estimate_two_way(by_example)
    low, high = compute_mean_interval(by_seed)
    if low is None or high is None:
        return None
    std_error = float(np.std(by_seed, ddof=1) / np.sqrt(len(by_seed)))
    variance = std_error**2
    return TwoWayEstimate(float(by_seed.mean()), std_error, len(by_seed) - 1, low, high, variance, 0.0, 0.0)


def satterthwaite_df(total: float, a: float, b: float, e: float, n_seeds: int, n_examples: int) -> float:
    """Degrees of freedom of a sum of mean squares, never fewer than those of seeds."""
    parts = a**2 / (n_seeds - 1) + b**2 / (n_examples - 1) + e**2 / ((n_seeds - 1) * (n_examples - 1))
    return max(total**2 / parts, float(n_seeds - 1)) if parts > 0 else float(n_seeds - 1)
