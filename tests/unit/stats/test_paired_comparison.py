"""Paired comparisons: the laboratory's numbers, and intervals for several at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from headstart.stats.compared import PairedScores
from headstart.stats.confidence_sequence import compute_confidence_sequence
from headstart.stats.paired_comparison import compare_paired
from headstart.stats.paired_tests import mcnemar_p
from headstart.stats.resample import draw_example_counts
from headstart.stats.sequential import compute_sequential_interval
from headstart.stats.two_way import estimate_two_way
from headstart.stats.verdicts import judge

RANDOM = np.array([62.5, 64.5, 63.5])
PRETRAINED = np.array([81.5, 78.0, 82.5])


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seeds_alone(*values: float) -> PairedScores:
    """Scores of which no examples are known."""
    return PairedScores(np.array(values))


def on_examples(by_example: np.ndarray) -> PairedScores:
    """Scores [S, N], with 500 resamples of the examples, the same of all."""
    counts = np.concatenate(list(draw_example_counts(by_example.shape[1], draws(9), 500)))
    return PairedScores(by_example.mean(1), by_example, counts @ by_example.T / by_example.shape[1])


def answers(share: float, seed: int, seeds: int = 5, n_examples: int = 400) -> np.ndarray:
    """Right and wrong answers [S, N] of an arm's models, which share what they find hard."""
    draws_of_arm = np.random.default_rng(seed)
    hard = draws_of_arm.random(n_examples)
    return ((hard[None, :] + 0.3 * draws_of_arm.normal(size=(seeds, n_examples))) < share).astype(float)


def right(share: float, seed: int, seeds: int = 5) -> PairedScores:
    return on_examples(answers(share, seed, seeds))


def test_over_seeds_alone_it_is_the_paired_t_test() -> None:
    comparison = compare_paired(seeds_alone(*PRETRAINED), seeds_alone(*RANDOM), draws())
    oracle = stats.ttest_rel(PRETRAINED, RANDOM)
    ends = oracle.confidence_interval(0.95)
    assert (comparison.low, comparison.high, comparison.p) == pytest.approx(
        (ends.low, ends.high, oracle.pvalue)
    )
    assert (comparison.seeds_low, comparison.seeds_high) == pytest.approx((comparison.low, comparison.high))
    assert comparison.difference == pytest.approx(17.1667, abs=1e-4)
    assert (
        comparison.n_examples,
        comparison.limiting_factor,
        comparison.bootstrap_low,
        comparison.sequence_low,
    ) == (
        None,
        None,
        None,
        None,
    )
    assert [(of_seed.low, of_seed.p_mcnemar) for of_seed in comparison.each_seed] == [(None, None)] * 3
    assert (comparison.p_sign_flip, comparison.min_p) == (0.25, 0.25)


def test_examples_widen_the_interval() -> None:
    comparison = compare_paired(right(0.8, 1), right(0.7, 2), draws())
    assert comparison.low is not None
    assert comparison.seeds_low is not None
    assert comparison.low < comparison.seeds_low
    assert comparison.n_examples == 400
    assert comparison.limiting_factor == "examples"


def test_each_seed_is_compared_over_its_examples() -> None:
    """McNemar's test and the paired bootstrap, of one seed's two models."""
    arm, control = right(0.8, 1), right(0.7, 2)
    assert arm.by_example is not None
    assert control.by_example is not None
    of_seeds = compare_paired(arm, control, draws()).each_seed
    theirs = [mcnemar_p(a, c) for a, c in zip(arm.by_example, control.by_example, strict=True)]
    assert [of_seed.p_mcnemar for of_seed in of_seeds] == theirs
    normal = stats.ttest_1samp(arm.by_example[0] - control.by_example[0], 0).confidence_interval()
    assert (of_seeds[0].low, of_seeds[0].high) == pytest.approx((normal.low, normal.high), abs=0.01)
    assert of_seeds[0].difference == pytest.approx(arm.by_seed[0] - control.by_seed[0])


def test_its_bootstrap_draws_seeds_and_examples_anew() -> None:
    """The multi-bootstrap by its definition: rows and columns of the differences, with replacement."""
    arm, control = answers(0.8, 1), answers(0.7, 2)
    comparison = compare_paired(on_examples(arm), on_examples(control), draws())
    differences, generator = arm - control, draws(7)
    n_seeds, n_examples = differences.shape
    means = [
        differences[
            np.ix_(generator.integers(0, n_seeds, n_seeds), generator.integers(0, n_examples, n_examples))
        ].mean()
        for _ in range(5000)
    ]
    oracle = np.quantile(means, [0.025, 0.975])
    assert (comparison.bootstrap_low, comparison.bootstrap_high) == pytest.approx(oracle, abs=0.015)


def test_a_metric_that_has_no_parts_by_example_still_has_a_bootstrap() -> None:
    arm, control = (replace(right(share, seed), by_example=None) for share, seed in ((0.8, 1), (0.7, 2)))
    comparison = compare_paired(arm, control, draws())
    assert comparison.n_examples is None
    assert comparison.low == pytest.approx(comparison.seeds_low)
    assert comparison.bootstrap_low is not None
    assert comparison.each_seed[0].low is not None


def test_the_confidence_sequence_is_of_the_seeds_differences() -> None:
    differences = np.random.default_rng(0).normal(size=12)
    comparison = compare_paired(seeds_alone(*differences), seeds_alone(*np.zeros(12)), draws(), n_tests=2)
    assert (comparison.sequence_low, comparison.sequence_high) == pytest.approx(
        compute_confidence_sequence(differences, 0.05 / 2)
    )
    assert comparison.median_difference == np.median(differences)


def test_known_examples_widen_the_confidence_sequence() -> None:
    arm, control = right(0.8, 1, 12), right(0.7, 2, 12)
    known = compare_paired(arm, control, draws(), n_tests=2)
    assert arm.by_example is not None
    assert control.by_example is not None
    estimate = estimate_two_way(arm.by_example - control.by_example)
    assert (known.sequence_low, known.sequence_high) == pytest.approx(
        compute_sequential_interval(arm.by_seed - control.by_seed, estimate, 0.05 / 2)
    )
    alone = compare_paired(replace(arm, by_example=None), replace(control, by_example=None), draws())
    assert alone.sequence_low is not None
    assert known.sequence_low is not None
    assert known.sequence_low < alone.sequence_low


def test_groups_of_examples_count_in_the_confidence_sequence() -> None:
    """Copies of an example are one group: with each three times it is as wide as without copies."""
    arm, control = (answers(share, seed, 12) for share, seed in ((0.8, 1), (0.7, 2)))
    groups = np.tile(np.arange(arm.shape[1]), 3)
    copies = [replace(on_examples(np.tile(table, 3)), groups=groups) for table in (arm, control)]
    copied = compare_paired(copies[0], copies[1], draws())
    single = compare_paired(on_examples(arm), on_examples(control), draws())
    assert single.sequence_low is not None
    assert (copied.sequence_low, copied.sequence_high) == pytest.approx(
        (single.sequence_low, single.sequence_high)
    )


def test_arms_that_never_differ_have_no_sequence_over_examples() -> None:
    same = compare_paired(right(0.8, 1, 12), right(0.8, 1, 12), draws())
    assert (same.low, same.sequence_low) == (None, None)


def test_one_example_is_no_sample_of_examples() -> None:
    tables = [np.random.default_rng(seed).integers(0, 2, (12, 1)).astype(float) for seed in (1, 2)]
    one = compare_paired(on_examples(tables[0]), on_examples(tables[1]), draws())
    assert (one.sequence_low, one.sequence_high) == compute_confidence_sequence((tables[0] - tables[1])[:, 0])


def test_swapped_arms_swap_the_signs() -> None:
    first, other = (
        compare_paired(right(0.8, 1), right(0.7, 2), draws()),
        compare_paired(right(0.7, 2), right(0.8, 1), draws()),
    )
    assert first.difference == pytest.approx(-other.difference)
    assert (first.low, first.high) == pytest.approx((-other.high, -other.low))  # type: ignore[operator]
    assert first.p == pytest.approx(other.p)
    assert first.fiducial_prob_better == pytest.approx(1 - other.fiducial_prob_better)  # type: ignore[operator]


def test_the_same_seed_gives_the_same_bits_and_another_gives_others() -> None:
    first, same, other = (compare_paired(right(0.8, 1), right(0.7, 2), draws(seed)) for seed in (1, 1, 2))
    assert first == same
    assert first.bootstrap_low != other.bootstrap_low


@pytest.mark.parametrize("difference", [0.0, 0.5])
def test_equal_differences_have_no_interval(difference: float) -> None:
    comparison = compare_paired(seeds_alone(*RANDOM + difference), seeds_alone(*RANDOM), draws())
    assert (comparison.low, comparison.family_low, comparison.p) == (None, None, None)
    assert comparison.p_sign_flip == (None if difference == 0 else comparison.min_p)


def test_methods_without_randomness_still_vary_over_examples() -> None:
    """A bag of words against a constant model: alike with every seed, not on every example."""
    arm, control = (
        on_examples(np.repeat(answers(share, seed, seeds=1), 3, axis=0))
        for share, seed in ((0.9, 1), (0.5, 2))
    )
    comparison = compare_paired(arm, control, draws())
    assert (comparison.seeds_low, comparison.p_sign_flip) == (None, None)
    assert comparison.low is not None
    assert comparison.low > 0
    assert comparison.limiting_factor == "examples"


def test_one_seed_has_no_interval_but_its_own() -> None:
    comparison = compare_paired(right(0.8, 1, seeds=1), right(0.7, 2, seeds=1), draws())
    assert (comparison.low, comparison.family_low) == (None, None)
    assert len(comparison.each_seed) == 1
    assert comparison.each_seed[0].low is not None


@pytest.mark.parametrize(("n_tests", "alpha"), [(1, 0.05), (6, 0.05), (6, 0.0125)])
def test_the_interval_for_all_at_once_and_the_adjusted_p_never_contradict(n_tests: int, alpha: float) -> None:
    """Over differences of all sizes: zero is outside where the adjusted p is below 5%, and only there."""
    decided = []
    for lift in np.linspace(0, 0.3, 60):
        arm, control = seeds_alone(*(0.05 * draws(1).normal(size=5) + lift)), seeds_alone(*np.zeros(5))
        found = compare_paired(arm, control, draws(), n_tests=n_tests, alpha=alpha)
        assert found.family_low is not None
        assert found.family_high is not None
        assert found.p_adjusted is not None
        is_outside = judge(found.family_low, found.family_high) != "undecided"
        assert is_outside == (found.p_adjusted < 0.05)
        decided.append(is_outside)
    assert 0 < sum(decided) < 60


def test_the_interval_for_all_at_once_is_bonferronis() -> None:
    found = compare_paired(seeds_alone(*PRETRAINED), seeds_alone(*RANDOM), draws(), n_tests=4)
    ends = stats.ttest_rel(PRETRAINED, RANDOM).confidence_interval(1 - 0.05 / 4)
    assert (found.family_low, found.family_high) == pytest.approx((ends.low, ends.high))
    assert found.p is not None
    assert found.p_adjusted == pytest.approx(4 * found.p)


def test_which_way_is_better_turns_the_fiducial_probability_round() -> None:
    arm, control = right(0.8, 1), right(0.7, 2)
    higher = compare_paired(arm, control, draws()).fiducial_prob_better
    lower = compare_paired(arm, control, draws(), lower_is_better=True).fiducial_prob_better
    assert higher is not None
    assert higher > 0.5
    assert lower == pytest.approx(1 - higher)


def in_groups(by_example: np.ndarray, groups: np.ndarray) -> PairedScores:
    """Scores [S, N], with 500 resamples of whole groups, the same of all."""
    counts = np.concatenate(list(draw_example_counts(by_example.shape[1], draws(9), 500, groups)))
    resampled = counts @ by_example.T / by_example.shape[1]
    return PairedScores(by_example.mean(1), by_example, resampled, groups)


def test_groups_of_one_change_no_figure() -> None:
    arm, control = answers(0.7, 1), answers(0.6, 2)
    plain = compare_paired(on_examples(arm), on_examples(control), draws())
    alone = np.random.default_rng(0).permutation(400)
    grouped = compare_paired(in_groups(arm, alone), in_groups(control, alone), draws())
    assert (plain.n_groups, grouped.n_groups) == (None, 400)
    for name in ("low", "high", "p", "family_low", "fiducial_prob_better"):
        assert getattr(grouped, name) == pytest.approx(getattr(plain, name), rel=1e-12)
    # Groups are drawn in the order of their numbers: other draws, and the same law of them.
    assert grouped.bootstrap_low == pytest.approx(plain.bootstrap_low, abs=0.01)
    p_values = [[seed.p_mcnemar for seed in found.each_seed] for found in (plain, grouped)]
    assert p_values[1] == pytest.approx(p_values[0], rel=1e-12)


def test_groups_widen_the_interval_the_bootstraps_and_mcnemars_p() -> None:
    """Each example twenty times over: as much is known as of one copy of each."""
    arm, control = answers(0.65, 1, n_examples=100), answers(0.6, 2, n_examples=100)
    groups = np.tile(np.arange(100), 20)
    arms, controls = (np.tile(of, 20) for of in (arm, control))
    once = compare_paired(on_examples(arm), on_examples(control), draws())
    many = compare_paired(in_groups(arms, groups), in_groups(controls, groups), draws())
    blind = compare_paired(on_examples(arms), on_examples(controls), draws())
    assert (many.n_examples, many.n_groups) == (2000, 100)
    assert (many.low, many.high, many.p) == pytest.approx((once.low, once.high, once.p))
    assert (many.bootstrap_low, many.bootstrap_high) == pytest.approx(
        (once.bootstrap_low, once.bootstrap_high)
    )
    for mine, theirs, naive in zip(many.each_seed, once.each_seed, blind.each_seed, strict=True):
        assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))
        assert mine.p_mcnemar == pytest.approx(theirs.p_mcnemar)
        assert naive.p_mcnemar is not None
        assert mine.p_mcnemar is not None
        assert naive.p_mcnemar < mine.p_mcnemar


def test_of_a_single_group_the_interval_is_over_seeds() -> None:
    one = np.zeros(400, int)
    arm, control = (PairedScores(of.mean(1), of, groups=one) for of in (answers(0.7, 1), answers(0.6, 2)))
    comparison = compare_paired(arm, control, draws())
    assert (comparison.n_groups, comparison.limiting_factor) == (1, None)
    assert (comparison.low, comparison.high) == pytest.approx((comparison.seeds_low, comparison.seeds_high))


def test_three_seeds_are_the_limit_where_more_of_them_would_narrow_the_interval_more() -> None:
    # As `analysis.power` has it: what examples add to the variance is the larger, but three seeds are few.
    differences = np.array([[0.08], [0.1], [0.12]]) + np.tile([0.35, -0.35], 200)
    differences += 0.01 * np.random.default_rng(1).normal(size=differences.shape)
    comparison = compare_paired(
        PairedScores(differences.mean(1), differences), PairedScores(np.zeros(3), 0 * differences), draws()
    )
    assert 0.02**2 / 3 < 0.35**2 / 400
    assert comparison.limiting_factor == "seeds"
