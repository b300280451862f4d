"""Paired comparison of two arms over the seeds, and the test examples, that they share."""

from __future__ import annotations

import math

import numpy as np

from headstart.stats.compared import UNKNOWN, PairedComparison, PairedScores, make_comparison
from headstart.stats.each_seed import compare_each_seed
from headstart.stats.groups import count_groups
from headstart.stats.one_run import estimate_one_run
from headstart.stats.paired_tests import min_sign_flip_p, sign_flip_p
from headstart.stats.resample import compute_percentile_interval, resample_seeds
from headstart.stats.sequential import SequenceKind, compute_sequential_interval
from headstart.stats.summary import ALPHA, has_variation
from headstart.stats.two_way import TwoWayEstimate, estimate_difference
from headstart.stats.variances import LimitingFactor


def compare_paired(
    arm: PairedScores,
    control: PairedScores,
    generator: np.random.Generator,
    *,
    n_tests: int = 1,
    alpha: float = ALPHA,
    lower_is_better: bool = False,
    sequence: SequenceKind = "signs",
    shared: float = 0.0,
    of_models: bool = False,
    bound: float | None = None,
    limit: float = math.inf,
) -> PairedComparison:
    """`arm` minus `control`, which share seeds and, where these are known, examples.

    One seed has no interval, nor have differences that are equal with every seed and, where examples are
    known, on every example: they show no variation. Methods without randomness still vary over examples.
    Differences that are equal with every seed still have a sign-flip test.

    Args:
        generator: resamples seeds, and draws sign flips where there are too many to try all.
        n_tests: how many comparisons are made at once.
        alpha: the chance that any of them is falsely decided; below 5% where results were looked at before,
            which a sequence allows for by itself.
        sequence: what the interval for any number of seeds is made by.
        shared: of which variance all seeds share a part, as `TwoWayEstimate.add_shared_part`; the main
            interval, the family's, p and the fiducial probability allow for it.
        of_models: a single seed has an interval over its examples, of these very models.
        bound: as in `stats.one_run.estimate_one_run`.
        limit: the most that a difference can be, to either side: no end is beyond (`stats.bounded`).
    """
    by_seed = arm.by_seed - control.by_seed
    by_example = _subtract_known(arm.by_example, control.by_example)
    resampled = _subtract_known(arm.resampled, control.resampled)
    rounding = max(arm.rounding, control.rounding)
    if of_models and by_example is not None and len(by_example) == 1:
        estimate = estimate_one_run(by_example[0], arm.groups, bound)
    else:
        estimate = estimate_difference(by_seed, by_example, arm.groups, rounding)
    estimate = estimate.add_shared_part(len(by_seed), shared) if estimate and shared else estimate
    over_seeds = estimate_difference(by_seed, None, rounding=rounding)
    seeds_low, seeds_high = over_seeds.compute_interval(limit=limit) if over_seeds else UNKNOWN
    # The generator is asked for seeds first and for sign flips second: figures depend on this order.
    bootstrap_low, bootstrap_high = (
        compute_percentile_interval(resample_seeds(resampled, generator))
        if estimate and resampled is not None
        else UNKNOWN
    )
    covers_examples = _vary(by_example, arm.groups)
    sequence_low, sequence_high = (
        _find_sequence(by_seed, estimate, covers_examples, ALPHA / n_tests, sequence, limit) or UNKNOWN
    )
    return make_comparison(
        estimate,
        n_tests,
        alpha,
        lower_is_better,
        limit,
        n_seeds=len(by_seed),
        n_examples=by_example.shape[1] if by_example is not None else None,
        n_groups=count_groups(arm.groups) if by_example is not None else None,
        difference=float(by_seed.mean()),
        seeds_low=seeds_low,
        seeds_high=seeds_high,
        bootstrap_low=bootstrap_low,
        bootstrap_high=bootstrap_high,
        sequence_low=sequence_low,
        sequence_high=sequence_high,
        p_sign_flip=_test_signs(by_seed, by_example, generator),
        min_p=min_sign_flip_p(len(by_seed)),
        each_seed=tuple(compare_each_seed(arm, control, resampled)),
        limiting_factor=_find_limiting_factor(estimate, 1 - alpha / n_tests, shared)
        if covers_examples
        else None,
        median_difference=float(np.median(by_seed)),
    )


def _find_sequence(
    by_seed: np.ndarray,
    estimate: TwoWayEstimate | None,
    covers_examples: bool,
    alpha: float,
    sequence: SequenceKind,
    limit: float,
) -> tuple[float, float] | None:
    """Over examples too where these are known: then differences that are equal on every one have none."""
    if covers_examples and estimate is None:
        return None
    examples = estimate if estimate is not None and estimate.covers_examples else None
    return compute_sequential_interval(by_seed, examples, alpha, sequence, limit)


def _test_signs(
    by_seed: np.ndarray, by_example: np.ndarray | None, generator: np.random.Generator
) -> float | None:
    """The sign-flip test over seeds. Differences that are equal with every seed have one where examples are
    not known; where they are, such differences come of methods without randomness, whose seeds are one."""
    is_tested = has_variation(by_seed) or (by_example is None and len(by_seed) > 1 and by_seed.any())
    return sign_flip_p(by_seed, generator) if is_tested else None


def _subtract_known(arm: np.ndarray | None, control: np.ndarray | None) -> np.ndarray | None:
    return None if arm is None or control is None else arm - control


def _vary(by_example: np.ndarray | None, groups: np.ndarray | None) -> bool:
    """Whether what other examples would bring can be seen: these are known, and not all of one group."""
    return by_example is not None and count_groups(groups) != 1


def _find_limiting_factor(
    estimate: TwoWayEstimate | None, level: float, shared: float
) -> LimitingFactor | None:
    """Of which twice as many would make the interval of this level narrower, as `analysis.power` has it."""
    if estimate is None:
        return None
    if not np.isfinite(estimate.seeds_df):
        return "examples"
    by_seeds, by_examples = estimate.find_reach_doubled(level, shared)
    return "seeds" if by_seeds < by_examples else "examples"
