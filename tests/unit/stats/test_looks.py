"""The chance to err of each look: what they sum to, and how often equal arms are called different."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.looks import compute_look_alpha
from headstart.stats.two_way import estimate_two_way

#: Seeds at each look.
LOOKS = (3, 5, 8, 10, 15, 20)


def test_the_first_look_has_all_and_the_others_a_quarter_of_it_together() -> None:
    alphas = [compute_look_alpha(look) for look in range(1, 10_001)]
    assert alphas[0] == pytest.approx(0.05)
    assert sum(alphas[1:]) == pytest.approx(0.05 / 4, rel=1e-3)
    assert sum(alphas[1:]) < 0.05 / 4
    assert alphas == sorted(alphas, reverse=True)


def test_a_study_that_grows_errs_no_more_often_than_one_that_does_not() -> None:
    """Seeds differ much, which makes peeking worst: 18% at 5% a look (benchmarks/coverage.py looks)."""
    draws = np.random.default_rng(0)
    p = np.array([_draw_p_values(draws) for _ in range(600)])
    alphas = [compute_look_alpha(look) for look in range(1, len(LOOKS) + 1)]
    assert (p < 0.05).any(1).mean() > 0.12
    assert (p < alphas).any(1).mean() <= 0.06 + 2 * 0.01  # and two standard errors of 600 repeats


def _draw_p_values(draws: np.random.Generator) -> list[float]:
    """At each look, of two arms that do not differ, on 100 examples."""
    hard = draws.normal(size=100)
    arm, control = (
        hard + 0.3 * draws.normal(size=(20, 1)) + draws.normal(size=(20, 100)) > 0 for _ in range(2)
    )
    estimates = (estimate_two_way(arm[:n].astype(float) - control[:n]) for n in LOOKS)
    return [1.0 if estimate is None else estimate.p for estimate in estimates]
