"""Which scores are compared with which, how many tests there are, and what a margin is counted in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores
from headstart.config.study import Data


def scores(arm: str, values: Mapping[int, float], size: int = 10) -> ArmScores:
    return ArmScores(arm, size, size, values)


RANDOM = scores("random", {0: 0.625, 1: 0.645, 2: 0.635})
TUNED = scores("tuned", {0: 0.815, 1: 0.78, 2: 0.825})


def test_each_arm_is_paired_with_the_control_of_its_size() -> None:
    cells = [RANDOM, TUNED, scores("random", {0: 0.5}, 20), scores("tuned", {0: 0.5}, 30)]
    assert pair_with_control(cells, "random") == [(("tuned", 10), ("random", 10))]


def test_a_contrast_is_the_paired_t_test_of_shared_seeds() -> None:
    tuned = scores("tuned", {**TUNED.by_seed, 7: 0.99})
    compared = compare_pairs([RANDOM, tuned], [(tuned.cell, RANDOM.cell)], Judging("accuracy"), 0)
    (row,) = compared.contrasts
    oracle = stats.ttest_rel([0.815, 0.78, 0.825], [0.625, 0.645, 0.635])
    assert (row.n_seeds, row.test_examples) == (3, None)
    assert row.p == pytest.approx(oracle.pvalue)
    assert (row.low, row.high) == pytest.approx(oracle.confidence_interval(0.95))
    assert [difference.seed for difference in row.each_seed] == [0, 1, 2]
    assert [(summary.arm, summary.n_seeds) for summary in compared.summary] == [("random", 3), ("tuned", 4)]


def test_a_pair_without_a_shared_seed_is_left_out_and_not_counted() -> None:
    other = scores("other", {8: 0.5, 9: 0.6})
    pairs = [(arm.cell, RANDOM.cell) for arm in (TUNED, other)]
    (row,) = compare_pairs([RANDOM, TUNED, other], pairs, Judging("accuracy"), 0).contrasts
    assert (row.n_tests, row.p_adjusted) == (1, row.p)


def test_p_values_are_adjusted_for_the_number_of_pairs() -> None:
    again = scores("again", TUNED.by_seed)
    pairs = [(arm.cell, RANDOM.cell) for arm in (TUNED, again)]
    rows = compare_pairs([RANDOM, TUNED, again], pairs, Judging("accuracy"), 0).contrasts
    assert [row.p_adjusted for row in rows] == pytest.approx([2 * row.p for row in rows if row.p is not None])
    (first, _) = compare_pairs([RANDOM, TUNED, again], pairs, Judging("accuracy", n_metrics=3), 0).contrasts
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
    (row,) = compare_pairs([RANDOM, close], pairs, Judging(metric, margin), 0).contrasts
    assert row.verdict == verdict


def test_lower_is_better_for_a_loss() -> None:
    (row,) = compare_pairs([RANDOM, TUNED], [(TUNED.cell, RANDOM.cell)], Judging("loss"), 0).contrasts
    assert row.verdict == "worse"
    assert row.fiducial_prob_better is not None
    assert row.fiducial_prob_better < 0.05


def test_the_same_seed_gives_the_same_figures() -> None:
    draws = np.random.default_rng(0)
    many = [scores(arm, dict(enumerate(draws.random(20)))) for arm in ("a", "random")]
    first, same, other = (
        compare_pairs(many, pair_with_control(many, "random"), Judging("accuracy"), seed).contrasts
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
    (row,) = compare_pairs(cells, pairs, Judging("accuracy", data=data), 0).contrasts
    differences = np.array([0.815 - 0.625, 0.78 - 0.645, 0.825 - 0.635])
    reach = stats.t.ppf(0.975, 2) * np.sqrt(factor * differences.var(ddof=1) / 3)
    assert (row.low, row.high) == pytest.approx((differences.mean() - reach, differences.mean() + reach))
    assert row.p == pytest.approx(2 * stats.t.sf(differences.mean() / (reach / stats.t.ppf(0.975, 2)), 2))
    of_ten = [ArmScores(arm.arm, 10, 10, arm.by_seed) for arm in (RANDOM, TUNED)]
    pairs = [(of_ten[1].cell, of_ten[0].cell)]
    (row,) = compare_pairs(of_ten, pairs, Judging("accuracy", data=data), 0).contrasts
    assert row.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue), "a number of texts is as it was"


def test_of_a_table_of_scores_nobody_knows_the_training_texts() -> None:
    (row,) = compare_pairs([RANDOM, TUNED], [(TUNED.cell, RANDOM.cell)], Judging("accuracy"), 0).contrasts
    assert row.holds_for is None


def test_a_confidence_sequence_knows_of_seeds_alone() -> None:
    data = Data.model_validate({"path": "a.csv", "training_texts": "bootstrap"})
    judging = Judging("accuracy", is_sequential=True, data=data)
    assert judging.describe_training_texts("all") == "for other draws from these training texts"
