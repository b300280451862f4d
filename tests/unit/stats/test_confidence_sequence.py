"""The confidence sequence of signs: against ville's e-process, by enumeration, and as it will be used."""

from __future__ import annotations

import math

import numpy as np
import pytest
import ville

from headstart.stats.confidence_sequence import (
    compute_confidence_sequence,
    count_required_signs,
    log_wealth,
)


@pytest.mark.parametrize("seeds", [1, 2, 7, 20, 60])
def test_wealth_is_that_of_villes_bet_on_a_coin(seeds: int) -> None:
    for above in range(seeds + 1):
        coin = np.repeat([1.0, 0.0], [above, seeds - above])
        theirs = ville.BernoulliTest(0.5, prior=(0.5, 0.5)).fit(coin)
        assert log_wealth(above, seeds) == pytest.approx(float(theirs.log_e_values_[-1]), abs=1e-9)


@pytest.mark.parametrize("tests", [1, 3])
@pytest.mark.parametrize("seeds", [7, 10, 25])
def test_the_interval_holds_the_medians_that_villes_test_does_not_reject(seeds: int, tests: int) -> None:
    differences = np.random.default_rng(seeds).normal(size=seeds)
    sequence = compute_confidence_sequence(differences, 0.05 / tests)
    for candidate in np.linspace(-4, 4, 161):
        theirs = ville.BernoulliTest(0.5, alpha=0.05 / tests, prior=(0.5, 0.5)).fit(
            (differences > candidate) * 1.0
        )
        is_out = float(theirs.log_e_values_[-1]) >= math.log(tests / 0.05)
        is_outside = sequence is not None and not sequence[0] <= candidate <= sequence[1]
        assert is_outside == is_out


def test_it_holds_what_villes_own_sequence_of_a_quantile_holds() -> None:
    """Howard & Ramdas's boundary is another bet on the same signs: both hold the median of what was seen."""
    differences = np.random.default_rng(0).normal(size=60)
    theirs = ville.QuantileCS(0.5, alpha=0.05, t_opt=30, intersect=False).fit(differences)
    ours = compute_confidence_sequence(differences)
    assert ours is not None
    assert ours[0] <= np.median(differences) <= ours[1]
    assert ours[1] - ours[0] == pytest.approx(float(theirs.upper_[-1] - theirs.lower_[-1]), rel=0.5)


@pytest.mark.parametrize(("tests", "seeds"), [(1, 7), (2, 8), (3, 9), (10, 11)])
def test_so_many_seeds_are_the_fewest(tests: int, seeds: int) -> None:
    assert compute_confidence_sequence(np.arange(seeds - 1.0), 0.05 / tests) is None
    assert compute_confidence_sequence(np.arange(float(seeds)), 0.05 / tests) == (0.0, seeds - 1.0)


def test_it_ever_errs_with_a_chance_below_one_in_twenty() -> None:
    """Exactly, over all sequences of 400 signs: the chance that the true median is ever outside."""
    ahead = np.zeros(402)  # of each number of signs above, the chance to be there and never have been out
    ahead[0], out = 1.0, 0.0
    for seeds in range(1, 401):
        ahead[1:] = (ahead[1:] + ahead[:-1]) / 2
        ahead[0] /= 2
        needed = count_required_signs(seeds)
        if needed is not None:
            gone = np.arange(402) >= needed
            gone |= np.arange(402) <= seeds - needed
            out += float(ahead[gone].sum())
            ahead[gone] = 0.0
    assert 0.01 < out <= 0.05


@pytest.mark.parametrize("kind", ["normal", "skewed", "whole points"])
def test_whoever_stops_when_it_is_narrow_errs_with_a_chance_below_one_in_twenty(kind: str) -> None:
    """The rule of `run --until-decided`, on arms that do not differ: how often it says that they do."""
    draws, wrong = np.random.default_rng(0), 0
    for _ in range(600):
        differences = _draw_differences(kind, draws)
        for seeds in range(7, 31):
            sequence = compute_confidence_sequence(differences[:seeds])
            if sequence is not None and sequence[1] - sequence[0] < 2:
                break
        wrong += sequence is not None and not sequence[0] <= 0 <= sequence[1]
    assert wrong / 600 <= 0.05


def _draw_differences(kind: str, draws: np.random.Generator) -> np.ndarray:
    """Thirty differences in points whose median is zero."""
    if kind == "skewed":
        return np.asarray(draws.exponential(size=30) - np.log(2))
    differences = draws.normal(size=30)
    return np.asarray(np.round(differences) if kind == "whole points" else differences)


def test_equal_differences_are_allowed() -> None:
    assert compute_confidence_sequence(np.full(9, 0.5)) == (0.5, 0.5)


def test_their_order_does_not_matter() -> None:
    differences = np.random.default_rng(0).normal(size=20)
    assert compute_confidence_sequence(differences) == compute_confidence_sequence(differences[::-1])
