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


def test_luck_that_valid_and_test_share_flatters_only_those_who_choose_by_it() -> None:
    """Six settings that are equally good, three seeds, scores that are luck alone, the same on both parts.

    The mean of the largest of six means of three is 1.2672 / sqrt(3) deviations (Teichroew 1956).
    """
    draws, repeats = np.random.default_rng(0), 4000
    naive, left_out, own = np.zeros((3, repeats))
    for i in range(repeats):
        scores, tuning = draws.normal(size=(6, 3)), draws.normal(size=(6, 2))
        naive[i] = scores[choose_setting(scores)].mean()
        by_seed = choose_without_each(scores)
        left_out[i] = np.mean([scores[setting, seed] for seed, setting in enumerate(by_seed)])
        own[i] = scores[choose_setting(tuning)].mean()
    assert naive.mean() == pytest.approx(1.2672 / np.sqrt(3), abs=0.03)
    assert abs(left_out.mean()) < 4 * left_out.std() / np.sqrt(repeats)
    assert abs(own.mean()) < 4 * own.std() / np.sqrt(repeats)
