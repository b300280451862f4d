"""Worth: inverted exactly between sizes, never beyond them, with an interval that holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.worth import LearningCurve, Worth, estimate_worth, find_wide_gaps

LABELS = np.array([100, 200, 400, 800])
RISING = (0.5, 0.6, 0.7, 0.8)


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def curve(*values: float, seeds: int = 3) -> LearningCurve:
    """Scores that are the same with every seed."""
    return LearningCurve(LABELS, np.repeat(np.array(values)[:, None], seeds, axis=1))


def noisy(
    values: tuple[float, ...], generator: np.random.Generator, seeds: int, std: float = 0.01
) -> LearningCurve:
    return LearningCurve(LABELS, np.array(values)[:, None] + std * generator.normal(size=(4, seeds)))


def labels_worth(arm: LearningCurve, control: LearningCurve, *, lower_is_better: bool = False) -> list[Worth]:
    return estimate_worth(arm, control, draws(), lower_is_better=lower_is_better)


def test_an_arm_that_is_its_control_is_worth_its_labels() -> None:
    worths = labels_worth(curve(*RISING), curve(*RISING))
    assert [amount.worth for amount in worths] == pytest.approx(LABELS)
    assert [amount.ratio for amount in worths] == pytest.approx([1, 1, 1, 1])


def test_between_sizes_it_is_linear_in_the_logarithm() -> None:
    (first, *_) = labels_worth(curve(0.65, 0.7, 0.75, 0.8), curve(*RISING))
    assert first.worth == pytest.approx(np.sqrt(200 * 400))  # half way from 200 to 400


def test_beyond_the_data_it_is_more_or_less_than() -> None:
    worths = labels_worth(curve(0.4, 0.5, 0.8, 0.9), curve(*RISING))
    assert [amount.worth for amount in worths] == [0.0, 100.0, 800.0, float("inf")]


def test_a_curve_that_falls_has_reached_the_score_before() -> None:
    """0.65 is three quarters of the way from 0.5 to 0.7: the fewest labels, whatever comes after."""
    worths = labels_worth(curve(0.65, 0.65, 0.65, 0.65), curve(0.5, 0.7, 0.6, 0.8))
    assert worths[0].worth == pytest.approx(100 * 2**0.75)
    assert worths[0].below_again == 400


#: A control that was above the arm's 70.1 and fell.
FALLING = (np.array([125, 250, 500, 1000, 2000]), np.array([0.60, 0.75, 0.65, 0.66, 0.67]))


@pytest.mark.parametrize(("std", "high"), [(0.001, 250.0), (0.05, np.inf)])
def test_a_control_that_was_above_and_fell_is_not_beyond_its_largest(std: float, high: float) -> None:
    """It reached the score between 125 and 250; with much noise it may be that it never did."""
    labels, scores = FALLING
    generator = draws()
    control = LearningCurve(labels, scores[:, None] + std * generator.normal(size=(5, 5)))
    arm = LearningCurve(labels[:1], np.full((1, 5), 0.701))
    (worth,) = labels_worth(arm, control)
    assert worth.worth == pytest.approx(125 * 2 ** (0.101 / 0.15), rel=0.3)
    assert worth.below_again == 500
    assert worth.high == high
    assert worth.low is not None
    assert worth.low <= worth.worth <= high


def test_without_noise_the_first_crossing_is_exact() -> None:
    labels, scores = FALLING
    control = LearningCurve(labels, np.repeat(scores[:, None], 3, axis=1))
    (worth,) = labels_worth(LearningCurve(labels[:1], np.full((1, 3), 0.701)), control)
    assert worth.worth == pytest.approx(125 * 2 ** (0.101 / 0.15))


def test_a_control_that_fell_and_rose_has_an_interval_over_all_crossings() -> None:
    """0.65 is reached between 100 and 200, left after 200, and reached again between 400 and 800."""
    control = noisy((0.5, 0.7, 0.6, 0.8), draws(1), 5, 0.002)
    worth = labels_worth(noisy((0.65, 0.65, 0.65, 0.65), draws(2), 5, 0.002), control)[0]
    assert worth.low is not None
    assert worth.high is not None
    assert worth.low < 100 * 2**0.75 < 400 * 2**0.25 < worth.high < 800


@pytest.mark.parametrize("seed", range(40))
def test_the_estimate_lies_inside_its_interval(seed: int) -> None:
    """Whatever the curves: by seed alone and with examples, rising, falling and flat."""
    generator = draws(seed)
    lifts = 0.3 * generator.normal(size=(2, 4, 1, 1))
    hard = generator.normal(size=60)
    noise = 0.2 * generator.normal(size=(2, 4, 3, 1)) + generator.normal(size=(2, 4, 3, 60))
    arm, control = (hard + lifts + noise > 0).astype(float)
    of_examples = [LearningCurve(LABELS, right.mean(2), right) for right in (arm, control)]
    of_seeds = [LearningCurve(LABELS, right.mean(2)) for right in (arm, control)]
    for mine, theirs in (of_examples, of_seeds):
        for worth in estimate_worth(mine, theirs, generator, n_resamples=2):
            assert worth.low is not None
            assert worth.high is not None
            assert worth.low <= worth.worth <= worth.high


def test_neighbours_more_than_a_factor_of_three_apart_are_found() -> None:
    assert find_wide_gaps([125, 250, 500]) == ()
    assert find_wide_gaps([100, 300, 901]) == ((300, 901),)
    assert find_wide_gaps([125, 2000, 4000]) == ((125, 2000),)


def test_a_loss_is_better_when_lower() -> None:
    worths = labels_worth(curve(0.35, 0.3, 0.25, 0.2), curve(0.5, 0.4, 0.3, 0.2), lower_is_better=True)
    assert worths[0].worth == pytest.approx(np.sqrt(200 * 400))


def test_numbers_of_the_arm_need_not_be_the_controls() -> None:
    end = LearningCurve(np.array([50]), np.full((1, 3), 0.65))
    (worths,) = labels_worth(end, curve(*RISING))
    assert worths.amount == 50
    assert worths.worth == pytest.approx(np.sqrt(200 * 400))


@pytest.mark.parametrize(
    "seeds", [3, pytest.param(5, marks=pytest.mark.long), pytest.param(10, marks=pytest.mark.long)]
)
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds: int) -> None:
    generator, covered = draws(seeds), []
    truth = np.sqrt(200 * 400)
    for _ in range(200):
        arm = noisy((0.65, 0.7, 0.75, 0.8), generator, seeds)
        first = estimate_worth(arm, noisy(RISING, generator, seeds), generator, n_resamples=20)[0]
        assert first.low is not None
        assert first.high is not None
        covered.append(first.low <= truth <= first.high)
    assert np.mean(covered) >= 0.93


def test_the_interval_is_where_the_paired_t_test_does_not_reject() -> None:
    """At its ends the control, read between its sizes, differs from the arm with p of 5%."""
    from scipy import stats

    generator = draws(3)
    arm, control = noisy((0.65, 0.7, 0.75, 0.8), generator, 5), noisy(RISING, generator, 5)
    worths = labels_worth(arm, control)[0]
    for end in (worths.low, worths.high):
        assert end is not None
        there = [np.interp(np.log(end), np.log(LABELS), column) for column in control.by_seed.T]
        p = stats.ttest_rel(arm.by_seed[0], there).pvalue
        assert 0.02 < p <= 0.05  # rounded outwards to the next candidate


def test_examples_widen_the_interval() -> None:
    """Few examples, seeds that hardly differ: other examples would move the scores."""
    generator = draws(4)
    curves = []
    for values in ((0.65, 0.7, 0.75, 0.8), RISING):
        hard = generator.random(200)
        noise = 0.1 * generator.normal(size=(4, 3, 200))
        by_example = ((hard + noise) < np.array(values)[:, None, None]).astype(float)
        curves.append(LearningCurve(LABELS, by_example.mean(2), by_example))
    known = labels_worth(*curves)[0]
    unknown = labels_worth(
        *(LearningCurve(learning_curve.amounts, learning_curve.by_seed) for learning_curve in curves)
    )[0]
    assert known.low is not None
    assert unknown.low is not None
    assert known.low < unknown.low


def test_a_score_that_may_be_beyond_says_so() -> None:
    generator = draws(5)
    worths = labels_worth(noisy((0.4, 0.5, 0.79, 0.9), generator, 5, 0.03), noisy(RISING, generator, 5, 0.03))
    assert [(amount.low, amount.high) for amount in (worths[0], worths[-1])] == [(0.0, 0.0), (np.inf, np.inf)]
    assert worths[2].high == np.inf
    assert worths[1].low == 0.0


def test_draws_come_from_the_generator() -> None:
    generator = draws()
    arm, control = (noisy((0.0, 0.1, 0.2, 0.3), generator, 5, 0.05) for _ in range(2))
    first, same, other = (estimate_worth(arm, control, draws(s)) for s in (1, 1, 2))
    assert first == same
    assert [w.bootstrap_low for w in first] != [w.bootstrap_low for w in other]
    assert [w.low for w in first] == [w.low for w in other]


@pytest.mark.parametrize("seeds", [1, 3])
def test_scores_without_variation_have_no_interval(seeds: int) -> None:
    worths = labels_worth(curve(*RISING, seeds=seeds), curve(*RISING, seeds=seeds))
    assert [(amount.worth, amount.low, amount.high) for amount in worths] == [
        (n, None, None) for n in LABELS.tolist()
    ]


@pytest.mark.parametrize("labels", [[100], [200, 100, 400, 800], [100, 100, 200, 300]])
def test_sizes_must_ascend(labels: list[int]) -> None:
    flat = LearningCurve(np.array(labels), np.full((len(labels), 3), 0.5))
    with pytest.raises(ValueError, match="ascending sizes"):
        estimate_worth(flat, flat, draws())


def test_groups_of_examples_widen_the_interval() -> None:
    """Each example ten times over: the interval is that of one copy of each."""
    generator = np.random.default_rng(5)
    hard = generator.normal(size=80)

    def draw(scores: tuple[float, ...]) -> np.ndarray:
        lifts = np.array(scores)[:, None, None]
        return (hard + generator.normal(size=(len(scores), 3, 80)) < 4 * lifts - 2).astype(float)

    arm, control = draw(RISING), draw(RISING)

    def ends(copies: int, groups: np.ndarray | None) -> list[tuple[float | None, float | None]]:
        mine, theirs = (
            LearningCurve(LABELS, of.mean(2), np.tile(of, copies), groups) for of in (arm, control)
        )
        worths = estimate_worth(mine, theirs, draws(), n_resamples=2)
        return [(worth.low, worth.high) for worth in worths]

    once, many = ends(1, None), ends(10, np.tile(np.arange(80), 10))
    assert many == [pytest.approx(pair) for pair in once]
    assert ends(10, None) != many
