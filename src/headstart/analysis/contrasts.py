"""Scores compared with a control's: contrasts, with intervals that hold for all at once, and verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.analysis.effect_sizes import compare_errors, compare_one_run
from headstart.analysis.judging import Judging
from headstart.analysis.scores import (
    ArmScores,
    Cell,
    bootstrap_examples,
    list_shared_seeds,
    pair_scores,
    summarise_scores,
)
from headstart.config.metrics import get_bounds
from headstart.records import Contrast, SeedContrast, SummaryRow
from headstart.stats.paired_comparison import PairedComparison, compare_paired

#: Of intervals that a normal law makes, which knows no ends.
_ENDS: Final = ("low", "high", "family_low", "family_high", "seeds_low", "seeds_high")


@dataclass(frozen=True)
class ScoredPairs:
    """Scores summed up by arm and size, and the contrasts of those that were paired."""

    summary: tuple[SummaryRow, ...]
    contrasts: tuple[Contrast, ...]


def pair_with_control(scores: Sequence[ArmScores], control: str) -> list[tuple[Cell, Cell]]:
    """Each arm and size with its control of the same size, where there is one."""
    sizes = {arm_scores.size for arm_scores in scores if arm_scores.arm == control}
    return [
        (arm_scores.cell, (control, arm_scores.size))
        for arm_scores in scores
        if arm_scores.arm != control and arm_scores.size in sizes
    ]


def compare_pairs(
    scores: Sequence[ArmScores], pairs: Sequence[tuple[Cell, Cell]], judging: Judging, seed: int
) -> ScoredPairs:
    """Scores summed up, and contrasts of the pairs that have a seed in common.

    Args:
        pairs: each an arm and its control.
        seed: of the draws of test examples, seeds and sign flips.
    """
    # One generator for examples first and seeds second: `run` and `compare` give the same figures so.
    generator = np.random.default_rng(seed)
    by_cell = {arm_scores.cell: arm_scores for arm_scores in bootstrap_examples(scores, generator)}
    paired = [(by_cell[arm], by_cell[control]) for arm, control in pairs]
    paired = [(arm, control) for arm, control in paired if list_shared_seeds(arm, control)]
    n_tests = len(paired) * judging.n_metrics
    return ScoredPairs(
        summary=tuple(summarise_scores(arm_scores, judging.metric) for arm_scores in by_cell.values()),
        contrasts=tuple(_compare_pair(arm, control, n_tests, judging, generator) for arm, control in paired),
    )


def _compare_pair(
    arm: ArmScores, control: ArmScores, n_tests: int, judging: Judging, generator: np.random.Generator
) -> Contrast:
    paired, paired_control = pair_scores((arm, control), list_shared_seeds(arm, control))
    comparison = compare_paired(
        paired,
        paired_control,
        generator,
        n_tests=n_tests,
        alpha=judging.alpha,
        lower_is_better=judging.lower_is_better,
    )
    contrast = _make_contrast(arm, control, comparison, judging)
    found = {
        "one_run": compare_one_run(arm, control, judging),
        "relative_errors": compare_errors(paired, paired_control, judging, 1 - judging.alpha / n_tests),
    }
    return contrast.model_copy(update=found | cut_ends(contrast))


def cut_ends(contrast: Contrast) -> dict[str, float]:
    """The ends of its intervals that are beyond what a difference can be, at what it can be.

    No truth lies there, so an interval holds as often without: a share's difference is at most 1.
    """
    low, high = get_bounds(contrast.metric)
    ends = {name: getattr(contrast, name) for name in _ENDS}
    return {
        name: math.copysign(high - low, end)
        for name, end in ends.items()
        if end is not None and abs(end) > high - low
    }


def _make_contrast(
    arm: ArmScores, control: ArmScores, comparison: PairedComparison, judging: Judging
) -> Contrast:
    return Contrast(
        arm=arm.arm,
        control=control.arm,
        size=arm.size,
        metric=judging.metric,
        n_seeds=comparison.n_seeds,
        test_examples=comparison.n_examples,
        difference=comparison.difference,
        low=comparison.low,
        high=comparison.high,
        n_tests=comparison.n_tests,
        family_low=comparison.family_low,
        family_high=comparison.family_high,
        p=comparison.p,
        p_adjusted=comparison.p_adjusted,
        verdict=judging.judge(comparison),
        seeds_low=comparison.seeds_low,
        seeds_high=comparison.seeds_high,
        bootstrap_low=comparison.bootstrap_low,
        bootstrap_high=comparison.bootstrap_high,
        sequence_low=comparison.sequence_low,
        sequence_high=comparison.sequence_high,
        p_sign_flip=comparison.p_sign_flip,
        min_p=comparison.min_p,
        fiducial_prob_better=comparison.fiducial_prob_better,
        limiting_factor=comparison.limiting_factor,
        each_seed=tuple(
            SeedContrast(
                seed=seed,
                difference=of_seed.difference,
                low=of_seed.low,
                high=of_seed.high,
                p_mcnemar=of_seed.p_mcnemar,
            )
            for seed, of_seed in zip(list_shared_seeds(arm, control), comparison.each_seed, strict=True)
        ),
    )
