"""Sequences that cover test examples too: the union of both parts, the fewest seeds, and false verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.confidence_sequence import compute_confidence_sequence
from headstart.stats.sequential import SequenceKind, compute_sequential_interval, find_min_seeds
from headstart.stats.t_sequence import compute_t_sequence
from headstart.stats.two_way import estimate_two_way

SEQUENCES: tuple[SequenceKind, ...] = ("signs", "t")


def draw_answers(draws: np.random.Generator, n_seeds: int, n_examples: int, noise: float) -> np.ndarray:
    """Right and wrong answers of an arm minus its control's [S, N]; in the long run they are equal."""
    hard = draws.normal(size=n_examples)
    arm, control = (
        hard + 0.5 * draws.normal(size=n_examples) + noise * draws.normal(size=(n_seeds, n_examples)) > 0
        for _ in range(2)
    )
    return arm.astype(float) - control


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("n_groups", [None, 12])
def test_each_part_has_half_the_chance_to_err(sequence: SequenceKind, n_groups: int | None) -> None:
    """A sequence at 97.5% over seeds, and beside it t at 97.5% with as many freedoms as groups, less one."""
    table = draw_answers(np.random.default_rng(0), 12, 300, 1.0)
    groups = None if n_groups is None else np.arange(300) % n_groups
    estimate = estimate_two_way(table, groups)
    assert estimate is not None
    ends = compute_sequential_interval(table.mean(1), estimate, 0.05, sequence)
    compute = compute_confidence_sequence if sequence == "signs" else compute_t_sequence
    of_seeds = compute(table.mean(1), 0.025)
    assert of_seeds is not None
    df = (n_groups or 300) - 1
    reach = stats.t.ppf(1 - 0.0125, df) * np.sqrt(estimate.examples_variance)
    assert ends == pytest.approx((of_seeds[0] - reach, of_seeds[1] + reach))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_without_examples_seeds_have_the_whole_chance(sequence: SequenceKind) -> None:
    differences = np.random.default_rng(0).normal(size=12)
    compute = compute_confidence_sequence if sequence == "signs" else compute_t_sequence
    assert compute_sequential_interval(differences, None, 0.05 / 3, sequence) == compute(
        differences, 0.05 / 3
    )


@pytest.mark.parametrize(
    ("n_tests", "sequence", "alone", "with_examples"),
    [(1, "signs", 7, 8), (2, "signs", 8, 9), (4, "signs", 9, 10), (1, "t", 5, 6), (4, "t", 6, 7)],
)
def test_so_many_seeds_are_the_fewest(
    n_tests: int, sequence: SequenceKind, alone: int, with_examples: int
) -> None:
    assert find_min_seeds(n_tests, covers_examples=False, sequence=sequence) == alone
    assert find_min_seeds(n_tests, sequence=sequence) == with_examples
    table = draw_answers(np.random.default_rng(0), with_examples, 50, 1.0)
    estimate = estimate_two_way(table)
    alpha = 0.05 / n_tests
    assert compute_sequential_interval(table.mean(1), estimate, alpha, sequence) is not None
    assert compute_sequential_interval(table.mean(1)[:-1], estimate, alpha, sequence) is None


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("noise", [0.1, 1.0], ids=["stable", "noisy"])
def test_equal_arms_are_seldom_called_different_at_any_number_of_seeds(
    sequence: SequenceKind, noise: float
) -> None:
    """Stable models repeat their answers with every seed, so that seeds alone soon seem to prove much."""
    draws = np.random.default_rng(3)
    false = np.array([_count_false(draw_answers(draws, 20, 200, noise), sequence) for _ in range(200)])
    with_examples, alone = false.mean(0)
    assert with_examples <= 0.05
    if noise < 1:
        assert alone > 0.25, "what a sequence over seeds alone says"


def _count_false(table: np.ndarray, sequence: SequenceKind) -> tuple[bool, bool]:
    """Whether zero is ever out: over seeds and examples, and over seeds alone."""
    is_out = [False, False]
    for n_seeds in range(5, len(table) + 1):
        part = table[:n_seeds]
        for i, estimate in enumerate((estimate_two_way(part), None)):
            ends = compute_sequential_interval(part.mean(1), estimate, 0.05, sequence)
            is_out[i] |= ends is not None and not ends[0] <= 0 <= ends[1]
    return is_out[0], is_out[1]
