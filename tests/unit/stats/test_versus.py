"""Contrasts: the laboratory's own numbers, verdicts that follow corrected p values or the sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from headstart.stats.paired import mcnemar
from headstart.stats.resample import multi_bootstrap, percentile_interval, text_counts
from headstart.stats.sequence import sequence_interval
from headstart.stats.versus import Sides, Versus, judged, versus

RANDOM = np.array([62.5, 64.5, 63.5])
PRETRAINED = np.array([81.5, 78.0, 82.5])


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def alone(*values: float) -> Sides:
    """Scores of which no texts are known."""
    return Sides(np.array(values))


def on_texts(by_text: np.ndarray) -> Sides:
    """Scores [S, N], with 500 resamples of the texts, the same of all."""
    counts = np.concatenate(list(text_counts(by_text.shape[1], draws(9), 500)))
    return Sides(by_text.mean(1), by_text, counts @ by_text.T / by_text.shape[1])


def answers(share: float, seed: int, seeds: int = 5, texts: int = 400) -> np.ndarray:
    """Right and wrong answers [S, N] of an arm's models, which share what they find hard."""
    own = np.random.default_rng(seed)
    hard = own.random(texts)
    return ((hard[None, :] + 0.3 * own.normal(size=(seeds, texts))) < share).astype(float)


def right(share: float, seed: int, seeds: int = 5) -> Sides:
    return on_texts(answers(share, seed, seeds))


def test_over_seeds_alone_it_is_the_paired_t_test() -> None:
    found = versus(alone(*PRETRAINED), alone(*RANDOM), draws())
    oracle = stats.ttest_rel(PRETRAINED, RANDOM)
    ends = oracle.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == pytest.approx((ends.low, ends.high, oracle.pvalue))
    assert (found.seeds_low, found.seeds_high) == (found.low, found.high)
    assert found.difference == pytest.approx(17.1667, abs=1e-4)
    assert (found.texts, found.binds, found.bootstrap_low, found.sequence_low) == (None, None, None, None)
    assert [(one.low, one.mcnemar) for one in found.each_seed] == [(None, None)] * 3
    assert (found.signs, found.least) == (0.25, 0.25)


def test_texts_widen_the_interval() -> None:
    found = versus(right(0.8, 1), right(0.7, 2), draws())
    assert found.low is not None
    assert found.seeds_low is not None
    assert found.low < found.seeds_low
    assert found.texts == 400
    assert found.binds == "texts"


def test_each_seed_is_judged_over_its_texts() -> None:
    """McNemar's test and the paired bootstrap, of these very models."""
    arm, control = right(0.8, 1), right(0.7, 2)
    assert arm.by_text is not None
    assert control.by_text is not None
    found = versus(arm, control, draws()).each_seed
    theirs = [mcnemar(a, c) for a, c in zip(arm.by_text, control.by_text, strict=True)]
    assert [one.mcnemar for one in found] == theirs
    normal = stats.ttest_1samp(arm.by_text[0] - control.by_text[0], 0).confidence_interval()
    assert (found[0].low, found[0].high) == pytest.approx((normal.low, normal.high), abs=0.01)
    assert found[0].difference == pytest.approx(arm.by_seed[0] - control.by_seed[0])


def test_its_bootstrap_is_the_multi_bootstrap() -> None:
    arm, control = answers(0.8, 1), answers(0.7, 2)
    found = versus(on_texts(arm), on_texts(control), draws())
    oracle = percentile_interval(multi_bootstrap(arm - control, draws(), 20_000))
    assert (found.bootstrap_low, found.bootstrap_high) == pytest.approx(oracle, abs=0.015)


def test_a_metric_that_has_no_parts_by_text_still_has_a_bootstrap() -> None:
    arm, control = (replace(right(share, seed), by_text=None) for share, seed in ((0.8, 1), (0.7, 2)))
    found = versus(arm, control, draws())
    assert (found.texts, found.low) == (None, found.seeds_low)
    assert found.bootstrap_low is not None
    assert found.each_seed[0].low is not None


def test_the_sequence_is_of_the_seeds_differences() -> None:
    gaps = np.random.default_rng(0).normal(size=12)
    found = versus(alone(*gaps), alone(*np.zeros(12)), draws(), tests=2)
    assert (found.sequence_low, found.sequence_high) == pytest.approx(sequence_interval(gaps, 2))


def test_swapped_arms_swap_the_signs() -> None:
    one, other = versus(right(0.8, 1), right(0.7, 2), draws()), versus(right(0.7, 2), right(0.8, 1), draws())
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))  # type: ignore[operator]
    assert one.p == pytest.approx(other.p)
    assert one.chance == pytest.approx(1 - other.chance)  # type: ignore[operator]


def test_the_same_seed_gives_the_same_bits_and_another_gives_others() -> None:
    one, same, other = (versus(right(0.8, 1), right(0.7, 2), draws(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one.bootstrap_low != other.bootstrap_low


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_equal_gaps_have_no_interval(gap: float) -> None:
    (found,) = judged([versus(alone(*RANDOM + gap), alone(*RANDOM), draws())])
    assert (found.low, found.p, found.signs, found.verdict) == (None, None, None, "undecided")


def test_methods_without_randomness_still_vary_over_texts() -> None:
    """A bag of words against a model that always says the same: alike with every seed, not on every text."""
    arm, control = (
        on_texts(np.repeat(answers(share, seed, seeds=1), 3, axis=0)) for share, seed in ((0.9, 1), (0.5, 2))
    )
    (found,) = judged([versus(arm, control, draws())])
    assert (found.seeds_low, found.signs) == (None, None)
    assert found.low is not None
    assert found.verdict == "better"
    assert found.binds == "texts"


def test_one_seed_has_no_interval_but_its_own() -> None:
    (found,) = judged([versus(right(0.8, 1, seeds=1), right(0.7, 2, seeds=1), draws())])
    assert (found.low, found.verdict) == (None, "undecided")
    assert len(found.each_seed) == 1
    assert found.each_seed[0].low is not None


def clear(difference: float = 0.1, **changes: float | None) -> Versus:
    """A contrast with an interval of a tenth around its difference, and a p for itself of 0.02."""
    base = versus(alone(*PRETRAINED), alone(*RANDOM), draws())
    made = replace(base, difference=difference, low=difference - 0.05, high=difference + 0.05, p=0.02)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_verdicts_follow_the_corrected_p() -> None:
    assert [one.verdict for one in judged([clear(), clear(-0.1)])] == ["better", "worse"]
    assert [one.verdict for one in judged([clear()] * 3)] == ["undecided"] * 3  # 3 x 0.02 is above 5%
    assert [one.verdict for one in judged([clear()], lower_is_better=True)] == ["worse"]


def test_no_difference_is_an_interval_within_the_margin() -> None:
    assert judged([clear(0.01)], margin=0.1)[0].verdict == "no difference"
    assert judged([clear(0.01)], margin=0.05)[0].verdict == "better"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "better"), (-0.2, -0.01, "worse"), (-0.1, 0.2, "undecided"), (None, None, "undecided")],
)
def test_where_seeds_were_added_verdicts_follow_the_sequence(
    low: float | None, high: float | None, verdict: str
) -> None:
    (found,) = judged([clear(sequence_low=low, sequence_high=high)], is_sequential=True)
    assert found.verdict == verdict


def test_a_sequence_within_the_margin_is_no_difference() -> None:
    one = clear(sequence_low=-0.01, sequence_high=0.02)
    assert judged([one], is_sequential=True, margin=0.03)[0].verdict == "no difference"
    assert judged([one], is_sequential=True, margin=0.015)[0].verdict == "undecided"
