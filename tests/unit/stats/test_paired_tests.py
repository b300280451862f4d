"""Tests of signs and disagreements against scipy and statements of their papers; Holm's by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.paired_tests import mcnemar_p, min_sign_flip_p, sign_flip_p


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
