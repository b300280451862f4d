"""What `headstart power` shows, of analyses made by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis, Rank
from headstart.report.power import render_power
from headstart.stats.power import detectable_difference, find_cheapest_pair, find_required_seeds
from headstart.stats.power_ranges import PowerRanges
from headstart.stats.variances import MeanSquares, VarianceComponents, assume_variances
from studies import rendered_lines

OF_EXAMPLES = VarianceComponents(seeds=1e-6, examples=0.2, residual=0.0)
OF_SEEDS = VarianceComponents(seeds=0.05**2, examples=0.1, residual=0.0)


def shown(variances: VarianceComponents, difference: float | None = None, **changes: Any) -> list[str]:
    contrast = ContrastPower("[a] - b", variances, n_seeds=3, test_examples=2000, difference=difference)
    contrast = replace(contrast, **changes)
    return rendered_lines(render_power(PowerAnalysis("accuracy", (contrast,))))


def test_the_table_holds_what_is_detectable_by_seeds() -> None:
    lines = shown(OF_SEEDS)
    assert "minimum detectable difference (80% power), points" in lines
    assert "contrast test examples 2 seeds 3 seeds 5 seeds 10 seeds 20 seeds" in lines
    figures = (f"{100 * detectable_difference(OF_SEEDS, n, 2000):.1f}" for n in (2, 3, 5, 10, 20))
    assert f"2,000 {' '.join(figures)}" in lines


def test_pairs_of_seeds_and_test_examples_are_a_grid() -> None:
    lines = shown(OF_SEEDS)
    for name, count in (("[a] - b ", 1000), ("", 2000), ("", 4000), ("", 10_000)):
        figures = (f"{100 * detectable_difference(OF_SEEDS, n, count):.1f}" for n in (2, 3, 5, 10, 20))
        assert f"{name}{count:,} {' '.join(figures)}" in lines
    assert not any("1 seed " in line for line in lines)


def test_more_than_a_hundred_points_are_shown_as_such() -> None:
    noisy = VarianceComponents(seeds=0.2**2, examples=0.1, residual=0.0)
    assert any(line.startswith("[a] - b 1,000 over 100 ") for line in shown(noisy))


def test_the_cheapest_pair_is_named() -> None:
    pair = find_cheapest_pair(0.1, OF_SEEDS, 50)
    assert pair is not None
    counts = f"{pair.n_seeds} seeds, {pair.n_examples:,} test examples"
    lines = shown(OF_SEEDS, 0.1, seed_cost=50.0)
    assert f"cheapest combination that detects it, at 50 test examples per seed: {counts}" in " ".join(lines)


def test_measured_variances_come_with_their_range() -> None:
    squares = MeanSquares(5.0, 0.3, 0.2, n_seeds=3, n_units=2000, n_examples=2000)
    text = " ".join(shown(squares.estimate_components(), 0.05, squares=squares, n_tests=6))
    ranges = PowerRanges(squares, np.random.default_rng(0), alpha=0.05 / 6)
    low, high = (100 * end for end in ranges.detectable_difference(3, 2000))
    ends = f"{low:.1f} to {f'{high:.1f}' if high <= 100 else 'over 100'} (80% range)"
    assert f"variances from 3 seeds are uncertain: {ends}" in text
    few, many = ranges.find_required_seeds(0.05, 2000)
    assert f"seeds are enough (80% range: {few} to {many})" in text
    assert "simultaneous intervals of all 6 contrasts: each at 99.2%" in text
    assert "plan with the upper end" in text


def test_assumptions_are_told_back() -> None:
    parts = assume_variances(0.8, 0.2, 0.01, 0.25)
    text = " ".join(shown(parts))
    assert "Assumed: two models disagree on 20% of the examples, 25% of that the same" in text


def test_groups_are_told() -> None:
    text = " ".join(
        shown(
            replace(OF_SEEDS, group_size=12.5),
            squares=MeanSquares(5.0, 0.3, 0.2, n_seeds=3, n_units=160, n_examples=2000),
        )
    )
    assert "Test examples come in groups of 12.5 on average" in text


def test_the_limiting_factor_is_named() -> None:
    """By what twice as many of either would show."""
    for parts, factor in ((OF_EXAMPLES, "test examples"), (OF_SEEDS, "seeds")):
        by_seeds, by_examples = (
            100 * detectable_difference(parts, seeds, count) for seeds, count in ((6, 2000), (3, 4000))
        )
        twice = f"{by_seeds:.1f} with twice the seeds, {by_examples:.1f} with twice the examples"
        assert f"{factor} are the limiting factor: {twice}" in shown(parts)


def test_few_seeds_are_the_limit_where_their_variance_is_not() -> None:
    """Of three seeds the variance is hardly known: two more help most, though examples make the error."""
    parts = VarianceComponents(seeds=0.01**2, examples=0.16, residual=0.16)
    assert any(line.startswith("seeds are the limiting factor") for line in shown(parts))


def test_without_a_difference_nothing_is_said_to_be_required() -> None:
    assert not any("enough" in line for line in shown(OF_SEEDS))


def test_what_a_difference_requires_is_counted() -> None:
    lines = shown(OF_SEEDS, 0.1)
    needed = find_required_seeds(0.1, OF_SEEDS, 2000)
    assert needed is not None
    assert f"with these test examples: {needed} seeds are enough" in lines
    assert any(line.startswith("power for a difference of 10.0 points: ") for line in lines)


def test_what_no_number_reaches_is_said() -> None:
    assert "with these test examples: no number of seeds is enough" in shown(
        OF_EXAMPLES, 0.02, test_examples=200
    )
    assert "with these seeds: no number of test examples is enough" in shown(OF_SEEDS, 0.02)


def test_a_leaderboard_says_which_ranks_are_noise(tmp_path: Path) -> None:
    ranks = (Rank("[x]", 0.52, 0.0, True), Rank("y", 0.5, 0.02, True), Rank("z", 0.4, 0.12, False))
    lines = rendered_lines(render_power(Leaderboard(1319, 0.038, ranks)))
    assert "result accuracy behind the first could be noise" in lines
    assert [line for line in lines if line[:1] in ("[", "y", "z")] == [
        "[x] 52.0 - -",
        "y 50.0 2.0 yes",
        "z 40.0 12.0 no",
    ]
    assert "On 1,319 test examples a difference of two single results below 3.8 points" in " ".join(lines)


def test_correlations_that_differ_by_more_than_two_are_shown_as_such() -> None:
    contrast = ContrastPower("a - b", VarianceComponents(9.0, 0.1, 0.0), 3, 2000, difference=None)
    lines = rendered_lines(render_power(PowerAnalysis("pearson", (contrast,))))
    assert any(line.startswith("a - b 1,000 over 2 over 2 ") for line in lines)


def test_ranges_with_both_ends_open_are_a_sentence() -> None:
    """It said "differences of over 100 points or more" and "over 100 to over 100"."""
    squares = MeanSquares(900.0, 0.3, 0.2, n_seeds=2, n_units=20, n_examples=20)
    noisy = VarianceComponents(seeds=9.0, examples=0.1, residual=0.0)
    text = " ".join(shown(noisy, 0.05, squares=squares, n_seeds=2, test_examples=20))
    assert "[a] - b, 2 seeds, 20 test examples: cannot detect any difference" in text
    assert "are uncertain: none would be detected anywhere in the 80% range" in text
    assert (
        "seeds are the limiting factor: twice the seeds or twice the examples are not enough either" in text
    )
    assert "over 100 to" not in text
    assert "over 100 with" not in text
    assert "over 100 points" not in text


def test_ranges_of_nothing_are_not_shown() -> None:
    """No number of examples makes up for seeds that vary by so much: "(80% range: none)" added nothing."""
    squares = MeanSquares(900.0, 0.3, 0.2, n_seeds=3, n_units=200, n_examples=200)
    noisy = VarianceComponents(seeds=4.0, examples=0.1, residual=0.0)
    lines = shown(noisy, 0.01, squares=squares, test_examples=200)
    assert "with these seeds: no number of test examples is enough" in lines


def test_a_range_whose_ends_are_written_alike_is_one_figure() -> None:
    squares = MeanSquares(0.2, 0.2, 0.2, n_seeds=20, n_units=10**6, n_examples=10**6)
    lines = shown(squares.estimate_components(), squares=squares, n_seeds=20, test_examples=10**6)
    (told,) = [line for line in lines if "are uncertain" in line]
    assert re.search(r"are uncertain: \d\.\d \(80% range\)$", told)
