"""Paired comparison of two arms: intervals and tests over seeds and test examples, and verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from headstart.stats.groups import count_groups
from headstart.stats.one_run import estimate_one_run
from headstart.stats.paired_tests import mcnemar_p, min_sign_flip_p, sign_flip_p
from headstart.stats.resample import compute_percentile_interval, resample_seeds
from headstart.stats.sequential import SequenceKind, compute_sequential_interval
from headstart.stats.summary import ALPHA, has_variation
from headstart.stats.two_way import TwoWayEstimate, estimate_difference
from headstart.stats.variances import LimitingFactor
from headstart.stats.welch import estimate_welch

Verdict = Literal["better", "worse", "no difference", "not worse", "undecided"]
_UNKNOWN: Final = (None, None)


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
    estimate = (
        estimate_one_run(by_example[0], arm.groups, bound)
        if of_models and by_example is not None and len(by_example) == 1
        else estimate_difference(by_seed, by_example, arm.groups, rounding)
    )
    if estimate and shared:
        estimate = estimate.add_shared_part(len(by_seed), shared)
    over_seeds = estimate_difference(by_seed, None, rounding=rounding)
    seeds_low, seeds_high = over_seeds.compute_interval(limit=limit) if over_seeds else _UNKNOWN
    # The generator is asked for seeds first and for sign flips second: figures depend on this order.
    bootstrap_low, bootstrap_high = (
        compute_percentile_interval(resample_seeds(resampled, generator))
        if estimate and resampled is not None
        else _UNKNOWN
    )
    covers_examples = _vary(by_example, arm.groups)
    sequence_low, sequence_high = (
        _find_sequence(by_seed, estimate, covers_examples, ALPHA / n_tests, sequence, limit) or _UNKNOWN
    )
    return _make_comparison(
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
        each_seed=tuple(_compare_each_seed(arm, control, resampled)),
        limiting_factor=_find_limiting_factor(estimate, 1 - alpha / n_tests, shared)
        if covers_examples
        else None,
        median_difference=float(np.median(by_seed)),
    )


def _make_comparison(
    estimate: TwoWayEstimate | None,
    n_tests: int,
    alpha: float,
    lower_is_better: bool,
    limit: float,
    **more: Any,
) -> PairedComparison:
    """With what the estimate tells, alone and as one of several; `more` are the other fields."""
    low, high = estimate.compute_interval(limit=limit) if estimate else _UNKNOWN
    family_low, family_high = estimate.compute_interval(1 - alpha / n_tests, limit) if estimate else _UNKNOWN
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
    low, high = estimate.compute_interval(limit=limit) if estimate else _UNKNOWN
    return _make_comparison(
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


def _subtract_known(arm: np.ndarray | None, control: np.ndarray | None) -> np.ndarray | None:
    return None if arm is None or control is None else arm - control


def _compute_fiducial_prob(estimate: TwoWayEstimate | None, lower_is_better: bool) -> float | None:
    if estimate is None:
        return None
    positive = estimate.fiducial_prob_positive
    return 1 - positive if lower_is_better else positive


def _compare_each_seed(
    arm: PairedScores, control: PairedScores, resampled: np.ndarray | None
) -> list[SeedDifference]:
    differences = arm.by_seed - control.by_seed
    intervals: Sequence[tuple[float | None, float | None]] = (
        [_UNKNOWN] * len(differences)
        if resampled is None
        else [compute_percentile_interval(column) for column in resampled.T]
    )
    p_values: Sequence[float | None] = _mcnemar_p_values(arm, control) or [None] * len(differences)
    return [
        SeedDifference(float(difference), *interval, p)
        for difference, interval, p in zip(differences, intervals, p_values, strict=True)
    ]


def _mcnemar_p_values(arm: PairedScores, control: PairedScores) -> list[float] | None:
    """One for each seed; None where parts by example are not right or wrong alone."""
    if arm.by_example is None or control.by_example is None:
        return None
    if not all(np.isin(scores, (0, 1)).all() for scores in (arm.by_example, control.by_example)):
        return None
    pairs = zip(arm.by_example, control.by_example, strict=True)
    return [mcnemar_p(a, c, arm.groups) for a, c in pairs]


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


def judge(
    low: float | None, high: float | None, *, lower_is_better: bool = False, margin: float | None = None
) -> Verdict:
    """The verdict that an interval of arm minus control allows; every verdict of a family holds at once
    where the family's intervals do.

    better, worse: zero is outside. no difference: all of it lies within `margin` of zero (equivalence).
    not worse: it says nothing of these, and no end of it is worse by as much as `margin` (non-inferiority).
    Else undecided, which does not mean equal.
    """
    if low is None or high is None:
        return "undecided"
    worst, best = (-high, -low) if lower_is_better else (low, high)
    if margin is not None and -margin < worst and best < margin:
        return "no difference"
    if worst > 0:
        return "better"
    if best < 0:
        return "worse"
    return "not worse" if margin is not None and worst > -margin else "undecided"
