"""Two very models on the same examples: the paired t, sums of groups, and few disagreements."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.one_run import estimate_one_run


def test_scores_have_the_paired_t_of_scipy() -> None:
    draws = np.random.default_rng(0)
    arm, control = draws.random(40), draws.random(40)
    estimate = estimate_one_run(arm - control)
    oracle = stats.ttest_rel(arm, control)
    assert estimate is not None
    assert estimate.mean == pytest.approx((arm - control).mean())
    assert estimate.p == pytest.approx(oracle.pvalue, rel=1e-3)
    assert estimate.compute_interval() == pytest.approx(oracle.confidence_interval(0.95), rel=1e-3)
    assert estimate.compute_interval(0.99) == pytest.approx(oracle.confidence_interval(0.99), rel=1e-3)


def test_right_and_wrong_have_the_adjusted_wald_interval() -> None:
    """Bonett & Price 2012: (n12 + 1) / (n + 2) and (n21 + 1) / (n + 2) are the shares that disagree."""
    n12, n21, n = 12, 3, 500
    differences = np.repeat([1.0, -1.0, 0.0], [n12, n21, n - n12 - n21])
    p12, p21 = (n12 + 1) / (n + 2), (n21 + 1) / (n + 2)
    std_error = np.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    estimate = estimate_one_run(differences)
    assert estimate is not None
    assert estimate.mean == pytest.approx((n12 - n21) / n)
    assert estimate.std_error == pytest.approx(std_error, rel=2e-3)  # its variance is divided by n + 1


@pytest.mark.parametrize(("wins", "losses"), [(5, 0), (6, 0), (8, 1), (12, 2), (30, 14), (60, 40)])
def test_few_disagreements_decide_no_more_than_mcnemars_exact_test_does_about(wins: int, losses: int) -> None:
    differences = np.repeat([1.0, -1.0, 0.0], [wins, losses, 300 - wins - losses])
    estimate = estimate_one_run(differences)
    exact = stats.binomtest(wins, wins + losses).pvalue
    assert estimate is not None
    assert estimate.p == pytest.approx(exact, rel=0.35)


def test_models_that_never_disagree_have_an_interval_of_what_was_not_seen() -> None:
    estimate = estimate_one_run(np.zeros(100))
    assert estimate is not None
    assert [estimate.mean, estimate.p] == pytest.approx([0.0, 1.0])
    assert estimate.high == pytest.approx(1.984 * np.sqrt(2 / 102 / 101), rel=1e-2)


def test_one_partial_score_changes_next_to_nothing() -> None:
    """A share's bound is known whatever the scores are."""
    right = np.repeat([1.0, -1.0, 0.0], [9, 1, 290])
    partial = np.where(np.arange(300) == 0, 0.5, right)
    plain, bounded, binary = (estimate_one_run(*of) for of in ((partial,), (partial, None, 1.0), (right,)))
    assert plain is not None
    assert bounded is not None
    assert binary is not None
    assert bounded.std_error == pytest.approx(binary.std_error, rel=0.05)
    assert plain.std_error < 0.92 * bounded.std_error


def test_one_document_that_is_there_twice_changes_next_to_nothing() -> None:
    right = np.repeat([1.0, -1.0, 0.0], [9, 1, 290])
    groups = np.arange(300)
    groups[-1] = groups[-2]
    grouped, alone = estimate_one_run(right, groups), estimate_one_run(right)
    assert grouped is not None
    assert alone is not None
    assert grouped.compute_interval() == pytest.approx(alone.compute_interval(), rel=0.01)


def test_groups_take_the_place_of_examples() -> None:
    """By the ratio estimator: sum over groups of (their sum - size x mean)^2."""
    draws = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), draws.integers(2, 9, 12))
    differences = draws.normal(size=12)[groups] + 0.1 * draws.normal(size=len(groups))
    estimate = estimate_one_run(differences, groups)
    mean = differences.mean()
    sums = np.array([(differences[groups == group] - mean).sum() for group in range(12)])
    assert estimate is not None
    assert estimate.mean == pytest.approx(mean)
    assert estimate.std_error == pytest.approx(np.sqrt(12 / 11 * (sums**2).sum()) / len(groups))
    assert estimate.examples_df == 11
    single = estimate_one_run(differences, np.arange(len(differences)))
    alone = estimate_one_run(differences)
    assert single is not None
    assert alone is not None
    assert single.compute_interval() == pytest.approx(alone.compute_interval())


def test_equal_scores_have_no_interval() -> None:
    assert estimate_one_run(np.full(10, 0.25)) is None
    assert estimate_one_run(np.full(10, 0.25), bound=1.0) is not None
    assert estimate_one_run(np.array([0.5])) is None
