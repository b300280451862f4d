"""Differences over S seeds and N test texts at once: what either set, drawn anew, would change.

A study's gaps, arm minus control, are a table [S, N] in which seeds and texts are crossed: every seed is
tested on every text. Both are samples. So an interval over seeds alone is about these very texts, and one
over texts alone about these very models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from headstart.stats.summary import t_limit, varies


@dataclass(frozen=True)
class Spread:
    """An estimate with its standard error, degrees of freedom and 95% interval.

    `seeds`, `texts` and `rest` are the parts of its variance that come from either, and from what is neither.
    """

    mean: float
    error: float
    freedom: float
    low: float
    high: float
    seeds: float
    texts: float
    rest: float

    @property
    def chance_above_zero(self) -> float:
        """The probability that the true mean is above zero, by the t distribution around the estimate."""
        return float(stats.t.sf(-self.mean / self.error, self.freedom))


def crossed_interval(gaps: np.ndarray) -> Spread | None:
    """A t interval for the mean of `gaps` [S, N] over seeds and texts; None where there is no variation.

    Gaps are mean + seed + text + rest, each part of mean zero and independent: the two-way model with
    random effects (Searle, Casella & McCulloch 1992, "Variance components", section 4.3), which is also that
    of many readers and many cases in radiology (Dorfman, Berbaum & Metz 1992). With mean squares A of seeds,
    B of texts and E of the rest, the mean's variance is (A + B - E) / (S N); its degrees of freedom are
    Satterthwaite's (1946). Negative parts are taken as zero: the variance is at least that of seeds or of
    texts alone.

    Raises:
        ValueError: fewer than two seeds or texts.
    """
    seeds, texts = gaps.shape
    if seeds < 2 or texts < 2:
        raise ValueError(f"gaps of shape {gaps.shape}; at least two seeds and two texts expected")
    mean = float(gaps.mean())
    by_seed, by_text = gaps.mean(1) - mean, gaps.mean(0) - mean
    rest = gaps - mean - by_seed[:, None] - by_text[None, :]
    a = texts * float(by_seed @ by_seed) / (seeds - 1)
    b = seeds * float(by_text @ by_text) / (texts - 1)
    e = float((rest**2).sum()) / ((seeds - 1) * (texts - 1))
    cells = seeds * texts
    total = max(a + b - e, a, b)
    if total <= 0 or not varies(gaps.ravel()):
        return None
    freedom = satterthwaite(total, a, b, e, seeds, texts)
    error = float(np.sqrt(total / cells))
    reach = t_limit(freedom) * error
    parts = (max(a - e, 0.0) / cells, max(b - e, 0.0) / cells, e / cells)
    return Spread(mean, error, freedom, mean - reach, mean + reach, *parts)


def satterthwaite(total: float, a: float, b: float, e: float, seeds: int, texts: int) -> float:
    """Degrees of freedom of a sum of mean squares, never fewer than those of seeds."""
    parts = a**2 / (seeds - 1) + b**2 / (texts - 1) + e**2 / ((seeds - 1) * (texts - 1))
    return max(total**2 / parts, float(seeds - 1)) if parts > 0 else float(seeds - 1)
