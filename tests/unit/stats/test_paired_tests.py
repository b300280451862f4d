"""Tests of signs and disagreements against scipy and statements of their papers; Holm's by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.paired_tests import MOST_FLIPPED, mcnemar_p, min_sign_flip_p, sign_flip_p


@pytest.mark.parametrize(("seeds", "smallest"), [(2, 0.5), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_the_floor_of_the_sign_flip_test_is_reached(seeds: int, smallest: float) -> None:
    assert min_sign_flip_p(seeds) == smallest
    differences = np.linspace(1, 2, seeds)
    assert sign_flip_p(differences, np.random.default_rng(0)) == pytest.approx(smallest)


def test_signs_are_all_tried() -> None:
    """By enumeration: of 2^4 signs of 1 2 3 -1, those whose mean is at least as far from zero."""
    differences = np.array([1.0, 2.0, 3.0, -1.0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    expected = np.mean(np.abs((signs * differences).mean(1)) >= abs(differences.mean()))
    assert sign_flip_p(differences, np.random.default_rng(0)) == pytest.approx(expected)


def test_with_many_seeds_signs_are_drawn_from_the_generator() -> None:
    differences = np.random.default_rng(0).normal(0.4, 1, 40)
    first, same, other = (sign_flip_p(differences, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == same
    assert first != other
    assert first == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)


def test_mcnemar_counts_disagreements_alone() -> None:
    arm = np.array([1, 1, 1, 1, 1, 0, 0] + [1] * 50)
    control = np.array([0, 0, 0, 0, 0, 1, 0] + [1] * 50)
    assert mcnemar_p(arm, control) == pytest.approx(stats.binomtest(5, 6).pvalue)
    assert mcnemar_p(arm, arm) == 1.0
    assert mcnemar_p(control, arm) == mcnemar_p(arm, control)


def _draw_pairs(
    draws: np.random.Generator, n_groups: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models that are right (1) alike often; what one has over the other is shared within groups."""
    groups = np.repeat(np.arange(n_groups), size)
    lead = draws.normal(size=n_groups)[groups]
    hard = draws.normal(size=n_groups * size)
    arm, control = (
        (sign * lead + hard + draws.normal(size=len(groups)) > 0).astype(float) for sign in (1, -1)
    )
    return arm, control, groups


def test_mcnemar_of_groups_of_one_is_mcnemars() -> None:
    arm, control, _ = _draw_pairs(np.random.default_rng(0), 400, 1)
    assert mcnemar_p(arm, control, np.arange(400)) == pytest.approx(mcnemar_p(arm, control), rel=1e-12)
    assert mcnemar_p(arm, arm, np.arange(400)) == 1.0


def test_mcnemar_by_groups_tries_all_signs_of_their_totals() -> None:
    """By enumeration of 2^9 exchanges of the two models in whole groups."""
    draws = np.random.default_rng(4)
    groups = np.repeat(np.arange(9), draws.integers(1, 9, 9))
    arm, control = draws.integers(0, 2, len(groups)), draws.integers(0, 2, len(groups))
    totals = np.bincount(groups, arm - control)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 9)).reshape(9, -1).T
    expected = np.mean(np.abs(signs @ totals) >= abs(totals.sum()))
    assert 0.01 < expected < 1
    assert mcnemar_p(arm, control, groups) == pytest.approx(expected, rel=1e-12)


def test_mcnemar_by_many_groups_is_durkalskis() -> None:
    """Of clusters of one size her chi-square is (sum of b - c)^2 / sum of (b - c)^2; normal with many."""
    arm, control, groups = _draw_pairs(np.random.default_rng(6), 3000, 5)
    totals = np.bincount(groups, arm - control)
    chi_square = totals.sum() ** 2 / (totals**2).sum()
    expected = stats.chi2.sf(chi_square, 1)
    assert 0.02 < expected < 0.98
    assert mcnemar_p(arm, control, groups) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("n_groups", "size"), [(10, 30), (50, 10)])
def test_mcnemar_by_groups_holds_its_level_where_mcnemars_does_not(n_groups: int, size: int) -> None:
    draws = np.random.default_rng([n_groups, size])
    studies = [_draw_pairs(draws, n_groups, size) for _ in range(1000)]
    by_group = np.mean([mcnemar_p(arm, control, groups) < 0.05 for arm, control, groups in studies])
    by_example = np.mean([mcnemar_p(arm, control) < 0.05 for arm, control, _ in studies])
    assert by_group < 0.065
    assert by_example > 0.3


def test_signs_of_very_many_seeds_have_their_normal_limit() -> None:
    """Against a t test, which it agrees with here, and flips made by hand."""
    differences = np.random.default_rng(3).normal(0.01, 1, MOST_FLIPPED + 1)
    p = sign_flip_p(differences, np.random.default_rng(0))
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=0.01)
    draws = np.random.default_rng(1)
    sums = [abs(differences @ draws.choice([-1.0, 1.0], len(differences))) for _ in range(2000)]
    assert p == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum())), abs=0.05)


@pytest.mark.parametrize("n_seeds", [600, 20_000])
def test_differences_of_few_seeds_among_many_are_not_normal(n_seeds: int) -> None:
    """Five equal differences and zeros else: two of 2^5 signs are as far from zero, however many zeros."""
    differences = np.zeros(n_seeds)
    differences[::97][:5] = 0.1
    assert sign_flip_p(differences, np.random.default_rng(0)) == pytest.approx(2 / 2**5, abs=0.004)


def test_a_few_large_differences_and_many_small_ones_are_both_flipped() -> None:
    """Against flips of all of them made by hand; the normal limit of the whole is another."""
    draws = np.random.default_rng(3)
    differences = np.concatenate([np.full(4, 20.0), draws.normal(0.01, 0.5, 2000)])
    signs = draws.integers(0, 2, (20_000, len(differences)), np.int8) * 2.0 - 1
    expected = np.mean(np.abs(signs @ differences) >= abs(differences.sum()))
    assert sign_flip_p(differences, np.random.default_rng(1)) == pytest.approx(expected, abs=0.001)
    normal = 2 * stats.norm.sf(abs(differences.sum()) / np.sqrt(np.square(differences).sum()))
    assert normal > expected + 0.002


def test_what_is_drawn_after_a_sample_of_flips_goes_by_its_number_alone() -> None:
    """scipy draws whole batches: with a batch that leaves a rest, figures behind it would be others."""
    differences = np.random.default_rng(0).normal(0.4, 1, 40)
    ours, scipys = np.random.default_rng(1), np.random.default_rng(1)
    p = sign_flip_p(differences, ours)
    test = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=1 << 16, rng=scipys
    )
    assert p == pytest.approx(test.pvalue)
    assert ours.random() == scipys.random()
