"""Which scores are compared with which, how many tests there are, and what a margin is counted in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import describe_metric
from headstart.config.study import Data

ACCURACY = describe_metric("accuracy")


def scores(arm: str, values: Mapping[int, float], size: int = 10) -> ArmScores:
    return ArmScores(arm, size, size, values)


RANDOM = scores("random", {0: 0.625, 1: 0.645, 2: 0.635})
TUNED = scores("tuned", {0: 0.815, 1: 0.78, 2: 0.825})


def test_each_arm_is_paired_with_the_control_of_its_size() -> None:
    cells = [RANDOM, TUNED, scores("random", {0: 0.5}, 20), scores("tuned", {0: 0.5}, 30)]
    assert pair_with_control(cells, "random") == [(("tuned", 10), ("random", 10))]


def test_a_contrast_is_the_paired_t_test_of_shared_seeds() -> None:
    tuned = scores("tuned", {**TUNED.by_seed, 7: 0.99})
    compared = compare_pairs([RANDOM, tuned], [(tuned.cell, RANDOM.cell)], Judging(ACCURACY), 0)
    (row,) = compared.contrasts
    oracle = stats.ttest_rel([0.815, 0.78, 0.825], [0.625, 0.645, 0.635])
    assert (row.n_seeds, row.test_examples) == (3, None)
    assert row.p == pytest.approx(oracle.pvalue)
    assert (row.low, row.high) == pytest.approx(oracle.confidence_interval(0.95))
    assert [difference.seed for difference in row.each_seed] == [0, 1, 2]
    assert [(summary.arm, summary.n_seeds) for summary in compared.summary] == [("random", 3), ("tuned", 4)]


def test_a_pair_without_a_shared_seed_is_welchs() -> None:
    other = scores("other", {8: 0.9, 9: 0.8, 10: 0.85, 11: 0.83})
    pairs = [(arm.cell, RANDOM.cell) for arm in (TUNED, other)]
    paired, row = compare_pairs([RANDOM, TUNED, other], pairs, Judging(ACCURACY), 0).contrasts
    oracle = stats.ttest_ind(list(other.by_seed.values()), list(RANDOM.by_seed.values()), equal_var=False)
    assert (paired.n_control_seeds, row.n_seeds, row.n_control_seeds) == (None, 4, 3)
    assert row.p == pytest.approx(oracle.pvalue, rel=1e-3)
    assert (row.low, row.high) == pytest.approx(oracle.confidence_interval(0.95), rel=1e-3)
    assert (row.family_low, row.family_high) == pytest.approx(oracle.confidence_interval(0.975), rel=1e-3)
    assert (row.n_tests, row.each_seed, row.p_sign_flip) == (2, (), None)


def test_one_seed_of_another_arm_has_no_interval() -> None:
    other = scores("other", {8: 0.9})
    (row,) = compare_pairs([RANDOM, other], [(other.cell, RANDOM.cell)], Judging(ACCURACY), 0).contrasts
    assert (row.low, row.p, row.verdict) == (None, None, "undecided")
    assert row.difference == pytest.approx(0.265)


@pytest.mark.parametrize(("n_seeds", "verdict"), [(5, "undecided"), (6, "better"), (8, "better")])
def test_equal_differences_are_judged_by_their_signs(n_seeds: int, verdict: str) -> None:
    low = scores("random", {seed: 0.6 + seed / 100 for seed in range(n_seeds)})
    high = scores("tuned", {seed: value + 0.05 for seed, value in low.by_seed.items()})
    (row,) = compare_pairs([low, high], [(high.cell, low.cell)], Judging(ACCURACY), 0).contrasts
    assert (row.low, row.p, row.verdict) == (None, None, verdict)
    assert row.p_sign_flip == pytest.approx(2 * 0.5**n_seeds)
    (turned,) = compare_pairs(
        [low, high], [(high.cell, low.cell)], Judging(describe_metric("loss")), 0
    ).contrasts
    assert turned.verdict == ("worse" if verdict == "better" else verdict)


def test_signs_are_judged_at_the_level_of_all_contrasts() -> None:
    low = scores("random", {seed: 0.6 + seed / 100 for seed in range(6)})
    others = [scores(f"t{i}", {seed: value + 0.05 for seed, value in low.by_seed.items()}) for i in range(2)]
    pairs = [(other.cell, low.cell) for other in others]
    rows = compare_pairs([low, *others], pairs, Judging(ACCURACY), 0).contrasts
    assert [row.verdict for row in rows] == ["undecided", "undecided"]  # 0.031 is not below 5% / 2


def test_spread_within_rounding_is_none() -> None:
    """1.00, 1.00 and 1.01 with two decimals could all be 1.005."""
    low, high = (
        replace(scores(arm, dict(enumerate(values))), rounding=0.01)
        for arm, values in (("random", (2.0, 3.0, 4.0)), ("tuned", (3.0, 4.0, 5.01)))
    )
    (row,) = compare_pairs([low, high], [(high.cell, low.cell)], Judging(ACCURACY), 0).contrasts
    assert (row.low, row.seeds_low, row.p, row.verdict) == (None, None, None, "undecided")
    assert row.p_sign_flip == pytest.approx(0.25)


def test_what_rounding_may_hide_is_added_to_the_variance() -> None:
    low, high = (
        replace(scores(arm, dict(enumerate(values))), rounding=0.01)
        for arm, values in (("random", (2.0, 3.0, 4.0)), ("tuned", (3.0, 4.02, 5.03)))
    )
    judging = Judging(describe_metric("elo"))  # which has no end
    (row,) = compare_pairs([low, high], [(high.cell, low.cell)], judging, 0).contrasts
    variance = np.var([1.0, 1.02, 1.03], ddof=1) + 2 * 0.01**2 / 12
    reach = stats.t.ppf(0.975, 2) * np.sqrt(variance / 3)
    assert row.high == pytest.approx(row.difference + reach, rel=1e-5)
    assert row.seeds_high == pytest.approx(row.difference + reach)


def test_p_values_are_adjusted_for_the_number_of_pairs() -> None:
    again = scores("again", TUNED.by_seed)
    pairs = [(arm.cell, RANDOM.cell) for arm in (TUNED, again)]
    rows = compare_pairs([RANDOM, TUNED, again], pairs, Judging(ACCURACY), 0).contrasts
    assert [row.p_adjusted for row in rows] == pytest.approx([2 * row.p for row in rows if row.p is not None])
    (first, _) = compare_pairs([RANDOM, TUNED, again], pairs, Judging(ACCURACY, n_metrics=3), 0).contrasts
    assert first.n_tests == 6


@pytest.mark.parametrize(
    ("metric", "margin", "verdict"),
    [
        ("accuracy", 1.0, "no difference"),  # a point
        ("accuracy", 0.2, "not worse"),
        ("accuracy", 0.01, "undecided"),
        ("mcc", 0.01, "no difference"),  # in its own unit
        ("mcc", 0.0001, "undecided"),
    ],
)
def test_a_margin_is_in_points_of_shares_else_in_the_metrics_unit(
    metric: str, margin: float, verdict: str
) -> None:
    close = scores("close", {0: 0.626, 1: 0.645, 2: 0.636})
    pairs = [(close.cell, RANDOM.cell)]
    (row,) = compare_pairs([RANDOM, close], pairs, Judging(describe_metric(metric), margin), 0).contrasts
    assert row.verdict == verdict


def test_lower_is_better_for_a_loss() -> None:
    (row,) = compare_pairs(
        [RANDOM, TUNED], [(TUNED.cell, RANDOM.cell)], Judging(describe_metric("loss")), 0
    ).contrasts
    assert row.verdict == "worse"
    assert row.fiducial_prob_better is not None
    assert row.fiducial_prob_better < 0.05


def test_the_same_seed_gives_the_same_figures() -> None:
    draws = np.random.default_rng(0)
    many = [scores(arm, dict(enumerate(draws.random(20)))) for arm in ("a", "random")]
    first, same, other = (
        compare_pairs(many, pair_with_control(many, "random"), Judging(ACCURACY), seed).contrasts
        for seed in (1, 1, 2)
    )
    assert first == same
    assert first[0].p_sign_flip != other[0].p_sign_flip


@pytest.mark.parametrize(
    ("rule", "factor"),
    [("fixed", 1.0), ("bootstrap", 1 + 3), ("folds", 1 + 3 * 4)],
    ids=["fixed", "bootstrap", "5 folds"],
)
def test_where_seeds_draw_their_texts_intervals_allow_for_the_pool(rule: str, factor: float) -> None:
    """Over seeds alone the interval is Student's with the corrected variance (Nadeau & Bengio 2003)."""
    cells = [ArmScores(arm.arm, "all", 10, arm.by_seed) for arm in (RANDOM, TUNED)]
    data = Data.model_validate({"path": "a.csv", "training_texts": rule})
    pairs = [(cells[1].cell, cells[0].cell)]
    (row,) = compare_pairs(cells, pairs, Judging(ACCURACY, data=data), 0).contrasts
    differences = np.array([0.815 - 0.625, 0.78 - 0.645, 0.825 - 0.635])
    reach = stats.t.ppf(0.975, 2) * np.sqrt(factor * differences.var(ddof=1) / 3)
    assert (row.low, row.high) == pytest.approx((differences.mean() - reach, differences.mean() + reach))
    assert row.p == pytest.approx(2 * stats.t.sf(differences.mean() / (reach / stats.t.ppf(0.975, 2)), 2))
    of_ten = [ArmScores(arm.arm, 10, 10, arm.by_seed) for arm in (RANDOM, TUNED)]
    pairs = [(of_ten[1].cell, of_ten[0].cell)]
    (row,) = compare_pairs(of_ten, pairs, Judging(ACCURACY, data=data), 0).contrasts
    assert row.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue), "a number of texts is as it was"


def test_of_a_table_of_scores_nobody_knows_the_training_texts() -> None:
    (row,) = compare_pairs([RANDOM, TUNED], [(TUNED.cell, RANDOM.cell)], Judging(ACCURACY), 0).contrasts
    assert row.holds_for is None


@pytest.mark.parametrize(
    ("values", "is_sequential", "words"),
    [
        ({0: 0.815, 1: 0.78, 2: 0.825}, False, "for training examples like these"),
        ({0: 0.815, 1: 0.78, 2: 0.825}, True, "for other draws from these training examples"),
        ({7: 0.815, 8: 0.78, 9: 0.825}, False, "for other draws from these training examples"),
        ({0: 0.825, 1: 0.845, 2: 0.835}, False, "for other draws from these training examples"),
    ],
    ids=["an interval", "a confidence sequence", "no seed in common", "equal differences"],
)
def test_only_intervals_that_are_corrected_speak_of_other_texts(
    values: Mapping[int, float], is_sequential: bool, words: str
) -> None:
    cells = [ArmScores(arm, "all", 10, of) for arm, of in (("tuned", values), ("random", RANDOM.by_seed))]
    data = Data.model_validate({"path": "a.csv", "training_texts": "bootstrap"})
    judging = Judging(ACCURACY, is_sequential=is_sequential, data=data)
    (row,) = compare_pairs(cells, [(cells[0].cell, cells[1].cell)], judging, 0).contrasts
    assert row.holds_for == words
