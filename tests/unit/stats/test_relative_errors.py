"""The ratio of errors: Fieller's own formula over seeds, agreement with verdicts, and coverage."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from headstart.stats.relative_errors import Errors, estimate_error_ratio
from headstart.stats.two_way import estimate_difference


def draw_wrong(draws: np.random.Generator, shares: tuple[float, float], n_seeds: int, n: int) -> list[Errors]:
    """An arm and its control that err in such shares of examples, which they find alike hard."""
    hard, found = draws.normal(size=n), []
    for share in shares:
        ease = hard + 0.1 * draws.normal(size=(n_seeds, 1)) + draws.normal(size=(n_seeds, n))
        wrong = (ease < math.sqrt(2.01) * special.ndtri(share)).astype(float)
        found.append(Errors(wrong.mean(1), wrong))
    return found


def test_over_seeds_it_is_fiellers_interval() -> None:
    """Fieller 1954: the roots of (y - r x)^2 = t^2 (v_yy - 2 r v_xy + r^2 v_xx) / S."""
    arm, control = np.array([0.08, 0.11, 0.09, 0.07]), np.array([0.15, 0.16, 0.13, 0.17])
    cov = np.cov(arm, control) / 4
    t2 = float(stats.t.isf(0.025, 3)) ** 2
    y, x = arm.mean(), control.mean()
    roots = np.sort(np.roots([x**2 - t2 * cov[1, 1], -2 * (x * y - t2 * cov[0, 1]), y**2 - t2 * cov[0, 0]]))
    found = estimate_error_ratio(Errors(arm), Errors(control), 0.95)
    assert found is not None
    assert found.ratio == pytest.approx(y / x)
    assert (found.low, found.high) == pytest.approx(tuple(roots), abs=2e-4)


def test_it_never_contradicts_the_test_of_the_difference() -> None:
    draws, decided = np.random.default_rng(0), 0
    for _ in range(60):
        arm, control = draw_wrong(draws, (0.08, 0.12), 5, 300)
        found = estimate_error_ratio(arm, control, 0.99)
        assert arm.by_example is not None
        assert control.by_example is not None
        test = estimate_difference(arm.by_seed - control.by_seed, arm.by_example - control.by_example)
        assert found is not None
        assert test is not None
        if abs(test.p - 0.01) > 1e-3:
            is_decided = found.high is not None and not found.low <= 1 <= found.high
            assert is_decided == (test.p < 0.01)
            decided += is_decided
    assert 5 < decided < 55  # both happen


def test_a_control_that_may_make_no_errors_leaves_no_upper_end() -> None:
    arm, control = Errors(np.array([0.03, 0.02, 0.04])), Errors(np.array([0.0, 0.0, 0.01]))
    found = estimate_error_ratio(arm, control, 0.95)
    assert found is not None
    assert found.high is None
    assert found.ratio == pytest.approx(9)


def test_an_arm_without_errors_has_none_fewer_than_none() -> None:
    found = estimate_error_ratio(Errors(np.zeros(3)), Errors(np.array([0.1, 0.12, 0.11])), 0.95)
    assert found is not None
    assert (found.ratio, found.low) == (0.0, 0.0)
    assert found.high is not None
    assert 0 <= found.high < 0.01  # the arm's zeros do not vary


def test_without_errors_or_variation_there_is_none() -> None:
    assert estimate_error_ratio(Errors(np.array([0.1, 0.2])), Errors(np.zeros(2)), 0.95) is None
    assert estimate_error_ratio(Errors(np.array([0.1, 0.1])), Errors(np.array([0.2, 0.2])), 0.95) is None
    assert estimate_error_ratio(Errors(np.array([0.1])), Errors(np.array([0.2])), 0.95) is None
    arm, _ = draw_wrong(np.random.default_rng(0), (0.1, 0.2), 3, 100)
    assert estimate_error_ratio(arm, arm, 0.95) is None


def test_any_ratio_has_the_estimate_of_the_two_way_layout() -> None:
    arm, control = draw_wrong(np.random.default_rng(2), (0.1, 0.2), 4, 200)
    found = estimate_error_ratio(arm, control, 0.9)
    assert found is not None
    assert arm.by_example is not None
    assert control.by_example is not None
    for end in (found.low, found.high):
        assert end is not None
        at_end = estimate_difference(arm.by_seed, arm.by_example - end * control.by_example)
        assert at_end is not None
        assert at_end.p == pytest.approx(0.1, abs=2e-3)


def test_groups_make_it_wider() -> None:
    groups = np.repeat(np.arange(100), 10)
    arm, control = draw_wrong(np.random.default_rng(1), (0.15, 0.3), 3, 100)
    assert arm.by_example is not None
    assert control.by_example is not None
    wide = [np.repeat(errors, 10, axis=1) for errors in (arm.by_example, control.by_example)]
    mine, theirs = (Errors(wrong.mean(1), wrong) for wrong in wide)
    plain = estimate_error_ratio(mine, theirs, 0.95)
    grouped = estimate_error_ratio(replace(mine, groups=groups), replace(theirs, groups=groups), 0.95)
    assert plain is not None
    assert grouped is not None
    assert plain.high is not None
    assert grouped.high is not None
    assert 0 < grouped.low < plain.low < plain.high < grouped.high


@pytest.mark.parametrize(("n_seeds", "n"), [(3, 300), (10, 100)])
def test_it_holds_the_truth(n_seeds: int, n: int) -> None:
    draws, held = np.random.default_rng(n_seeds), 0
    for _ in range(300):
        arm, control = draw_wrong(draws, (0.08, 0.12), n_seeds, n)
        found = estimate_error_ratio(arm, control, 0.95)
        assert found is not None
        held += found.low <= 0.08 / 0.12 <= (found.high or math.inf)
    assert held / 300 > 0.92
