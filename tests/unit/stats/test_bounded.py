"""Intervals of differences that have limits: no end is beyond, and no verdict is another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headstart.stats.bounded import limit_variance
from headstart.stats.compared import PairedScores
from headstart.stats.paired_comparison import compare_paired
from headstart.stats.sequential import SequenceKind, compute_sequential_interval
from headstart.stats.two_way import estimate_difference, estimate_two_way
from headstart.stats.unpaired_comparison import compare_unpaired


def draw_right(draws: np.random.Generator, n_seeds: int, n_examples: int) -> np.ndarray:
    """Right and wrong [S, N] of models whose runs differ much, some of them nearly perfect."""
    share = draws.choice([0.03, 0.5, 0.97]) + draws.normal(size=(n_seeds, 1)) * draws.choice([0.0, 0.1, 0.4])
    return np.asarray(draws.random((n_seeds, n_examples)) < share, float)


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 10])
def test_no_end_is_beyond_its_limit_and_zero_is_left_out_as_without(n_seeds: int) -> None:
    draws = np.random.default_rng(n_seeds)
    beyond = 0
    for n_examples in (4, 24, 300) * 15:
        differences = draw_right(draws, n_seeds, n_examples) - draw_right(draws, n_seeds, n_examples)
        for of in (estimate_two_way(differences), estimate_difference(differences.mean(1), None)):
            for level in (0.95, 1 - 0.05 / 15):
                if of is None:
                    continue
                plain, limited = of.compute_interval(level), of.compute_interval(level, limit=1.0)
                beyond += max(map(abs, plain)) > 1
                assert -1 <= limited[0] <= of.mean <= limited[1] <= 1
                assert plain[0] - 1e-9 <= limited[0]
                assert limited[1] <= plain[1] + 1e-9
                assert (plain[0] <= 0 <= plain[1]) == (limited[0] <= 0 <= limited[1]) == (of.p >= 1 - level)
    assert beyond, "some would have been beyond"


def test_an_interval_that_is_far_from_its_limits_is_the_plain_one() -> None:
    estimate = estimate_difference(np.array([0.10, 0.12, 0.11]), None)
    assert estimate is not None
    assert estimate.compute_interval(limit=1.0) == estimate.compute_interval()
    assert estimate.compute_interval(limit=math.inf) == estimate.compute_interval()


def test_an_end_solves_its_equation() -> None:
    """By hand: two seeds at 0.75 and -0.5; the variance of their mean is 25 / 64, at most 1 - c^2."""
    estimate = estimate_difference(np.array([0.75, -0.5]), None)
    assert estimate is not None
    low, high = estimate.compute_interval(limit=1.0)
    reach = 12.706204736
    for end in (low, high):
        assert abs(end - 0.125) == pytest.approx(reach * math.sqrt(min(25 / 64, 1 - end**2)), rel=1e-6)
    assert low == pytest.approx(-0.99611, abs=1e-4)


def test_the_limit_of_a_variance_is_that_of_the_most_extreme_sample() -> None:
    """Ones and minus ones vary as much as numbers within these can: against numpy."""
    values = np.array([1.0] * 7 + [-1.0] * 3)
    variance = float(np.var(values, ddof=1)) / 10
    assert limit_variance(0.11, 9, 0.0, float(values.mean()), 1.0) == pytest.approx(variance)
    assert limit_variance(variance / 2, 9, 0.0, 0.4, 1.0) == variance / 2
    assert limit_variance(0.1, 9, 0.4, 1.0, 1.0) == 0


@pytest.mark.parametrize("sequence", ["signs", "t"])
def test_sequences_end_within_limits_too(sequence: SequenceKind) -> None:
    draws = np.random.default_rng(4)
    seen = 0
    for _ in range(40):
        differences = draw_right(draws, 12, 6) - draw_right(draws, 12, 6)
        examples = estimate_two_way(differences)
        by_seed = differences.mean(1)
        plain = compute_sequential_interval(by_seed, examples, sequence=sequence)
        limited = compute_sequential_interval(by_seed, examples, sequence=sequence, limit=1.0)
        if plain is None or limited is None:
            assert plain == limited
            continue
        seen += max(map(abs, plain)) > 1
        assert -1 <= limited[0] <= limited[1] <= 1
        assert (plain[0] <= 0 <= plain[1]) == (limited[0] <= 0 <= limited[1])
    assert seen


def test_arms_that_share_no_seed_end_within_limits_too() -> None:
    arm, control = PairedScores(np.array([0.99, 0.3])), PairedScores(np.array([0.4, 0.5]))
    found = compare_unpaired(arm, control, limit=1.0)
    plain = compare_unpaired(arm, control)
    assert plain.high is not None
    assert found.high is not None
    assert plain.high > 1 > found.high
    assert (found.p, found.difference) == (plain.p, plain.difference)


def test_correlations_differ_by_two_at_most() -> None:
    arm, control = PairedScores(np.array([0.9, -0.9])), PairedScores(np.array([-0.8, 0.7]))
    found = compare_paired(arm, control, np.random.default_rng(0), limit=2.0)
    ends = found.low, found.high, found.family_low, found.family_high, found.seeds_low, found.seeds_high
    assert all(end is not None and 1 < abs(end) < 2 for end in ends)
