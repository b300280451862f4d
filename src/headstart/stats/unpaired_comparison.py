"""Comparison of two arms that share no seed: Welch's t over the seeds of each."""

from __future__ import annotations

import math

from headstart.stats.compared import UNKNOWN, PairedComparison, PairedScores, make_comparison
from headstart.stats.summary import ALPHA
from headstart.stats.welch import estimate_welch


def compare_unpaired(
    arm: PairedScores,
    control: PairedScores,
    *,
    n_tests: int = 1,
    alpha: float = ALPHA,
    lower_is_better: bool = False,
    limit: float = math.inf,
) -> PairedComparison:
    """`arm` minus `control`, which share no seed: Welch's t over the seeds of each.

    It holds for this test set only, and has no interval where an arm has one seed, or scores without
    variation in both. Arguments as in `compare_paired`.
    """
    estimate = estimate_welch(arm.by_seed, control.by_seed, max(arm.rounding, control.rounding))
    low, high = estimate.compute_interval(limit=limit) if estimate else UNKNOWN
    return make_comparison(
        estimate,
        n_tests,
        alpha,
        lower_is_better,
        limit,
        n_seeds=len(arm.by_seed),
        n_examples=None,
        n_groups=None,
        difference=float(arm.by_seed.mean() - control.by_seed.mean()),
        seeds_low=low,
        seeds_high=high,
        bootstrap_low=None,
        bootstrap_high=None,
        sequence_low=None,
        sequence_high=None,
        p_sign_flip=None,
        min_p=1.0,
        each_seed=(),
        limiting_factor=None,
        n_control_seeds=len(control.by_seed),
    )
