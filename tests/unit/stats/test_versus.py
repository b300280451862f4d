"""Contrasts: the laboratory's own numbers, verdicts that follow corrected p values."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.contrast import paired_difference
from headstart.stats.versus import Versus, judged, versus

RANDOM = np.array([62.5, 64.5, 63.5])
PRETRAINED = np.array([81.5, 78.0, 82.5])


def draws() -> np.random.Generator:
    return np.random.default_rng(0)


def right(share: float, seed: int, seeds: int = 5, texts: int = 400) -> np.ndarray:
    """Right and wrong answers of an arm's models, which share what they find hard."""
    own = np.random.default_rng(seed)
    hard = own.random(texts)
    return ((hard[None, :] + 0.3 * own.normal(size=(seeds, texts))) < share).astype(float)


def test_over_seeds_alone_it_is_the_paired_t_test() -> None:
    found, oracle = versus(PRETRAINED, RANDOM, draws()), paired_difference(PRETRAINED, RANDOM)
    assert (found.low, found.high, found.p) == pytest.approx((oracle.low, oracle.high, oracle.p))
    assert (found.texts, found.binds, found.bootstrap_low, found.mcnemar) == (None, None, None, ())
    assert (found.signs, found.least) == (0.25, 0.25)


def test_texts_widen_the_interval() -> None:
    found = versus(right(0.8, 1), right(0.7, 2), draws())
    assert found.low is not None
    assert found.seeds_low is not None
    assert found.low < found.seeds_low
    assert found.texts == 400
    assert len(found.mcnemar) == 5
    assert found.binds == "texts"


def test_swapped_arms_swap_the_signs() -> None:
    one, other = versus(right(0.8, 1), right(0.7, 2), draws()), versus(right(0.7, 2), right(0.8, 1), draws())
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))  # type: ignore[operator]
    assert one.p == pytest.approx(other.p)
    assert one.chance == pytest.approx(1 - other.chance)  # type: ignore[operator]


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_equal_gaps_have_no_interval(gap: float) -> None:
    (found,) = judged([versus(RANDOM + gap, RANDOM, draws())])
    assert (found.low, found.p, found.signs, found.verdict) == (None, None, None, "undecided")


def test_methods_without_randomness_still_vary_over_texts() -> None:
    """A bag of words against a model that always says the same: alike with every seed, not on every text."""
    arm, control = (np.repeat(right(share, seed, seeds=1), 3, axis=0) for share, seed in ((0.9, 1), (0.5, 2)))
    (found,) = judged([versus(arm, control, draws())])
    assert (found.seeds_low, found.signs) == (None, None)
    assert found.low is not None
    assert found.verdict == "better"
    assert found.binds == "texts"


def test_one_seed_has_no_interval() -> None:
    (found,) = judged([versus(right(0.8, 1, seeds=1), right(0.7, 2, seeds=1), draws())])
    assert (found.low, found.verdict) == (None, "undecided")
    assert len(found.mcnemar) == 1


def clear(difference: float = 0.1) -> Versus:
    """A contrast with an interval of a tenth around its difference, and a p for itself of 0.02."""
    base = versus(PRETRAINED, RANDOM, draws())
    made = {"difference": difference, "low": difference - 0.05, "high": difference + 0.05, "p": 0.02}
    return Versus(**{**base.__dict__, **made})


def test_verdicts_follow_the_corrected_p() -> None:
    assert [one.verdict for one in judged([clear(), clear(-0.1)])] == ["better", "worse"]
    assert [one.verdict for one in judged([clear()] * 3)] == ["undecided"] * 3  # 3 x 0.02 is above 5%
    assert [one.verdict for one in judged([clear()], lower_is_better=True)] == ["worse"]


def test_no_difference_is_an_interval_within_the_margin() -> None:
    assert judged([clear(0.01)], margin=0.1)[0].verdict == "no difference"
    assert judged([clear(0.01)], margin=0.05)[0].verdict == "better"
