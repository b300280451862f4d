"""What a comparison of two arms is made from and what it gives: scores, and a difference with its tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from headstart.stats.summary import ALPHA
from headstart.stats.two_way import TwoWayEstimate
from headstart.stats.variances import LimitingFactor

UNKNOWN: Final = (None, None)


@dataclass(frozen=True)
class PairedScores:
    """What an arm, or its control, scored with S seeds.

    `by_seed` [S]; `by_example` [S, N], parts whose means over examples are these scores; `resampled` [D, S],
    the scores on resampled examples. None where examples are not known, or a metric has no parts by example.
    `groups` [N] says of which group each example is; None where each is its own. `rounding` is the unit that
    scores were rounded to when they were written down.
    """

    by_seed: np.ndarray
    by_example: np.ndarray | None = None
    resampled: np.ndarray | None = None
    groups: np.ndarray | None = None
    rounding: float = 0.0


@dataclass(frozen=True)
class SeedDifference:
    """The difference with one seed: its 95% interval over examples (paired bootstrap), and McNemar's p."""

    difference: float
    low: float | None
    high: float | None
    p_mcnemar: float | None


@dataclass(frozen=True)
class PairedComparison:
    """The difference of two arms that share S seeds, and N test examples or None, which may be in groups; or,
    where `n_control_seeds` says so, of arms that share no seed, each with its own.

    `low` and `high` are the 95% interval of this difference alone: over seeds and examples where examples are
    known, else over seeds, as `seeds_low` and `seeds_high` are always. `family_low` and `family_high` hold
    for all `n_tests` comparisons made at once (Bonferroni), and the verdict is read off them; `p_adjusted` is
    p for all of them: below 5% where zero is outside. `bootstrap_low` and `bootstrap_high` are the
    multi-bootstrap's (Sellam et al. 2022, "The MultiBERTs"). `sequence_low` and `sequence_high` hold for
    all comparisons made at once and at every number of seeds (`stats.sequential`), so also where seeds were
    added by a rule; by signs they are of `median_difference`, the median over seeds. `p_sign_flip` is of the
    sign-flip test over seeds, which with so few seeds is never below `min_p`. `fiducial_prob_better` is the
    fiducial probability, by the law behind the interval, that the arm is better than its control. `each_seed`
    is about the very models of one seed. `limiting_factor` says which of seeds and examples makes the
    interval wide.
    """

    n_seeds: int
    n_examples: int | None
    n_groups: int | None
    n_tests: int
    difference: float
    low: float | None
    high: float | None
    family_low: float | None
    family_high: float | None
    p: float | None
    p_adjusted: float | None
    seeds_low: float | None
    seeds_high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    sequence_low: float | None
    sequence_high: float | None
    p_sign_flip: float | None
    min_p: float
    fiducial_prob_better: float | None
    each_seed: tuple[SeedDifference, ...]
    limiting_factor: LimitingFactor | None
    n_control_seeds: int | None = None
    median_difference: float | None = None


def make_comparison(
    estimate: TwoWayEstimate | None,
    n_tests: int,
    alpha: float,
    lower_is_better: bool,
    limit: float,
    **more: Any,
) -> PairedComparison:
    """With what the estimate tells, alone and as one of several; `more` are the other fields."""
    low, high = estimate.compute_interval(limit=limit) if estimate else UNKNOWN
    family_low, family_high = estimate.compute_interval(1 - alpha / n_tests, limit) if estimate else UNKNOWN
    return PairedComparison(
        n_tests=n_tests,
        low=low,
        high=high,
        family_low=family_low,
        family_high=family_high,
        p=estimate.p if estimate else None,
        p_adjusted=min(1.0, estimate.p * n_tests * ALPHA / alpha) if estimate else None,
        fiducial_prob_better=_compute_fiducial_prob(estimate, lower_is_better),
        **more,
    )


def _compute_fiducial_prob(estimate: TwoWayEstimate | None, lower_is_better: bool) -> float | None:
    if estimate is None:
        return None
    positive = estimate.fiducial_prob_positive
    return 1 - positive if lower_is_better else positive
