"""Settings are chosen by their mean over seeds, each seed's by the others; numpy's means are the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.stats.grid_choice import choose_setting, choose_without_each

NAN = float("nan")


def test_the_best_mean_is_chosen() -> None:
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=(6, 3))
        assert choose_setting(scores) == int(np.argmax(scores.mean(1)))
        assert choose_setting(scores, lower_is_better=True) == int(np.argmin(scores.mean(1)))


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([[0.5, 0.7], [0.6, 0.6]], 0),
        ([[0.9, NAN], [0.1, 0.2]], 1),
        ([[NAN, 0.2], [0.3, NAN], [NAN, NAN]], 1),
        ([[-0.2, -0.1], [-0.3, -0.3]], 0),
        ([[NAN, NAN]], None),
        ([[], []], None),
    ],
    ids=["the earlier of equals", "a whole one", "the most seeds", "below zero", "none ended", "no seeds"],
)
def test_equals_and_runs_that_failed(scores: list[list[float]], chosen: int | None) -> None:
    assert choose_setting(np.array(scores)) == chosen


def test_no_seed_has_a_say_in_its_own_setting() -> None:
    """Whatever a seed scored, itself infinitely good at one setting, its setting stays the others' choice."""
    scores = np.random.default_rng(1).normal(size=(4, 5))
    chosen = choose_without_each(scores)
    for seed in range(5):
        for setting in range(4):
            changed = scores.copy()
            changed[setting, seed] = 100.0
            assert choose_without_each(changed)[seed] == chosen[seed]
        others = np.delete(scores, seed, axis=1)
        assert chosen[seed] == int(np.argmax(others.mean(1)))


def test_one_seed_has_no_others() -> None:
    assert choose_without_each(np.array([[0.5], [0.7]])) == [None]
