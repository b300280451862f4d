"""Win rates: what a tie counts, ends within 0 and 1, agreement with two-way intervals and exact tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headstart.stats.shares import compute_wilson_interval
from headstart.stats.summary import t_quantile
from headstart.stats.two_way import estimate_two_way
from headstart.stats.win_rates import estimate_judged_rate, estimate_win_rate

DRAWS = np.random.default_rng(0)


def test_ties_count_half() -> None:
    found = estimate_win_rate(np.array([[3.0, 2.0, 1.0, 1.0]]), np.array([[1.0, 2.0, 2.0, 0.0]]))
    assert (found.rate, found.ties) == (0.625, 0.25)
    assert (found.low, found.high) == (None, None), "one seed has no interval"


def test_of_a_loss_less_is_better() -> None:
    scores = np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([[2.0, 3.0], [2.0, 2.0]])
    assert estimate_win_rate(*scores, lower_is_better=True).rate == 0.75
    assert estimate_win_rate(*scores).rate == 0.25


def test_near_one_half_it_is_the_two_way_interval() -> None:
    """The score form is then nearly the plain one, whose error is that of both samples."""
    arm, control = DRAWS.normal(size=(5, 4000)), DRAWS.normal(size=(5, 4000))
    found = estimate_win_rate(arm, control)
    estimate = estimate_two_way((1 + np.sign(arm - control)) / 2)
    assert estimate is not None
    assert found.low == pytest.approx(estimate.low, abs=1e-4)
    assert found.high == pytest.approx(estimate.high, abs=1e-4)


def test_what_seeds_share_widens_it() -> None:
    arm, control = DRAWS.normal(size=(4, 50)) + 0.2, DRAWS.normal(size=(4, 50))
    alone, shared = (estimate_win_rate(arm, control, shared=share) for share in (0.0, 1.0))
    assert shared.low is not None
    assert alone.low is not None
    assert shared.low < alone.low


def test_groups_take_the_place_of_prompts() -> None:
    """Ten prompts each five times, as one group: as uncertain as ten prompts."""
    arm, control = DRAWS.normal(size=(3, 10)), DRAWS.normal(size=(3, 10)) - 0.5
    mine, theirs = (np.repeat(scores, 5, axis=1) for scores in (arm, control))
    by_groups = estimate_win_rate(mine, theirs, np.repeat(np.arange(10), 5))
    once = estimate_win_rate(arm, control)
    assert (by_groups.rate, by_groups.low, by_groups.high) == pytest.approx((once.rate, once.low, once.high))


@pytest.mark.parametrize("sign", [1, -1])
def test_where_every_prompt_is_won_it_still_has_an_end(sign: int) -> None:
    scores = sign * np.ones((3, 20))
    found = estimate_win_rate(scores, np.zeros((3, 20)))
    ends = compute_wilson_interval(found.rate, 20, t_quantile(19))
    assert (found.low, found.high) == pytest.approx(ends)
    assert 0 <= ends[0] < ends[1] <= 1
    assert ends[1] - ends[0] > 0.1


def test_one_loss_in_a_hundred_keeps_within_one() -> None:
    arm = np.ones((3, 100))
    arm[0, 0] = -1
    found = estimate_win_rate(arm, np.zeros((3, 100)))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.rate < found.high <= 1


def test_the_judges_sign_test_is_the_binomial_of_those_that_decide() -> None:
    preferred = np.array([1.0] * 14 + [0.0] * 4 + [0.5] * 6)
    found = estimate_judged_rate(preferred)
    assert found.rate == pytest.approx(17 / 24)
    assert found.p_sign == pytest.approx(stats.binomtest(14, 18).pvalue)
    assert found.low is not None
    assert found.low > 0.5


def test_the_interval_never_excludes_what_the_exact_test_does_not() -> None:
    """60 of 100: Wilson's begins above one half, while the sign test's p is 0.057."""
    preferred = np.array([1.0] * 60 + [0.0] * 40)
    assert compute_wilson_interval(0.6, 100, t_quantile(99))[0] > 0.5
    found = estimate_judged_rate(preferred)
    assert found.p_sign == pytest.approx(0.0569, abs=1e-4)
    assert found.low == 0.5
    mirrored = estimate_judged_rate(1 - preferred)
    assert mirrored.high == 0.5


@pytest.mark.parametrize("n_prompts", [6, 20, 60])
def test_wherever_the_interval_decides_the_sign_test_does_too(n_prompts: int) -> None:
    for wins in range(n_prompts + 1):
        for ties in (0, 3):
            preferred = np.array([1.0] * wins + [0.0] * (n_prompts - wins) + [0.5] * ties)
            found = estimate_judged_rate(preferred)
            assert found.low is not None
            assert found.high is not None
            assert 0 <= found.low <= found.rate <= found.high <= 1
            assert found.low <= 0.5 <= found.high or found.p_sign < 0.05


def test_judged_groups_are_the_units() -> None:
    alone = estimate_judged_rate(np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]))
    grouped = estimate_judged_rate(
        np.repeat([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0], 3), np.repeat(np.arange(8), 3)
    )
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    assert grouped.p_sign == pytest.approx(alone.p_sign)


def test_one_prompt_has_no_interval() -> None:
    found = estimate_judged_rate(np.array([1.0]))
    assert (found.rate, found.low, found.high, found.p_sign) == (1.0, None, None, 1.0)
