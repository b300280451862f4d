"""Scores compared with a control's: contrasts, with intervals that hold for all at once, and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.analysis.effect_sizes import compare_errors, compare_one_run, compare_wins
from headstart.analysis.judging import Judging
from headstart.analysis.scores import (
    ArmScores,
    Cell,
    bootstrap_examples,
    list_shared_seeds,
    pair_scores,
    summarise_scores,
)
from headstart.records import Contrast, SeedContrast, SummaryRow
from headstart.stages import tell_stage
from headstart.stats.compared import PairedComparison
from headstart.stats.paired_comparison import compare_paired
from headstart.stats.unpaired_comparison import compare_unpaired


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
    """Scores summed up, and contrasts of the pairs: paired by seed, or of arms that share none (Welch).

    Args:
        pairs: each an arm and its control.
        seed: of the draws of test examples, seeds and sign flips.
    """
    tell_stage("comparing arms")
    # One generator for examples first and seeds second: `run` and `compare` give the same figures so.
    generator = np.random.default_rng(seed)
    by_cell = {arm_scores.cell: arm_scores for arm_scores in bootstrap_examples(scores, generator)}
    paired = [(by_cell[arm], by_cell[control]) for arm, control in pairs]
    return ScoredPairs(
        summary=tuple(summarise_scores(arm_scores, judging.metric) for arm_scores in by_cell.values()),
        contrasts=contrast_pairs(paired, judging, generator),
    )


def contrast_pairs(
    pairs: Sequence[tuple[ArmScores, ArmScores]], judging: Judging, generator: np.random.Generator
) -> tuple[Contrast, ...]:
    """The contrasts of arms with their controls, which are one family; as `compare_pairs`.

    Args:
        pairs: each an arm and its control; without a bootstrap where their examples were not resampled.
        generator: resamples seeds, and draws sign flips.
    """
    n_tests = len(pairs) * judging.n_metrics
    comparisons = [_compare_cells(arm, control, judging, n_tests, generator) for arm, control in pairs]
    return tuple(
        _add_effect_sizes(_make_contrast(arm, control, comparison, judging), arm, control, judging)
        for (arm, control), comparison in zip(pairs, comparisons, strict=True)
    )


def _add_effect_sizes(contrast: Contrast, arm: ArmScores, control: ArmScores, judging: Judging) -> Contrast:
    """With what the difference means in use."""
    found = {
        "one_run": compare_one_run(arm, control, judging),
        "win_rate": compare_wins(arm, control, judging),
        "relative_errors": compare_errors(arm, control, judging, 1 - judging.alpha / contrast.n_tests),
    }
    return contrast.model_copy(update=found)


def _compare_cells(
    arm: ArmScores, control: ArmScores, judging: Judging, n_tests: int, generator: np.random.Generator
) -> PairedComparison:
    """Over the seeds that both have; where they share none, over the seeds of each."""
    direction = judging.metric.lower_is_better
    lowest, highest = judging.metric.bounds
    limit = highest - lowest
    if seeds := list_shared_seeds(arm, control):
        mine, theirs = pair_scores((arm, control), seeds)
        return compare_paired(
            mine,
            theirs,
            generator,
            n_tests=n_tests,
            alpha=judging.alpha,
            lower_is_better=direction,
            of_models=judging.of_models,
            bound=1.0 if judging.metric.is_share else None,
            limit=limit,
            shared=judging.find_shared_part(arm.size),
            sequence=judging.sequence,
        )
    mine, theirs = (pair_scores([own], sorted(own.by_seed))[0] for own in (arm, control))
    return compare_unpaired(
        mine, theirs, n_tests=n_tests, alpha=judging.alpha, lower_is_better=direction, limit=limit
    )


def _make_contrast(
    arm: ArmScores, control: ArmScores, comparison: PairedComparison, judging: Judging
) -> Contrast:
    return Contrast(
        arm=arm.arm,
        control=control.arm,
        size=arm.size,
        metric=judging.metric.name,
        n_seeds=comparison.n_seeds,
        n_control_seeds=comparison.n_control_seeds,
        test_examples=comparison.n_examples,
        test_groups=comparison.n_groups,
        difference=comparison.difference,
        median_difference=comparison.median_difference,
        low=comparison.low,
        high=comparison.high,
        n_tests=comparison.n_tests,
        n_looks=judging.n_looks,
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
        holds_for=judging.describe_training_texts(comparison, arm.size),
    )
