"""How often a study of several equal arms says that some differ, and all of its intervals hold at once."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

import numpy as np

from headstart.stats.summary import ALPHA
from headstart.stats.two_way import estimate_two_way

#: Five arms and their control, each with three sizes: 15 contrasts.
ARMS: Final = 5
SIZES: Final = 3
#: In units of an answer's noise: how much arms differ in what they find hard.
LEAN: Final = 0.5
#: Deviations of a seed's own shift.
SHIFTS: Final = (0.03, 0.1, 0.3)


def simulate_family(options: argparse.Namespace) -> Iterator[list[str]]:
    """Arms that do not differ: the shares of false verdicts, of single tests that err, and of studies whose
    15 intervals all hold zero, each alone at 95% and for all at once."""
    yield [
        "examples",
        "seeds",
        "shift",
        "false verdicts",
        "p < .05",
        "p < .05/15",
        "all hold, single",
        "all at once",
    ]
    for n_examples in options.examples:
        for n_seeds in options.seeds:
            for shift in SHIFTS:
                draws = np.random.default_rng([n_examples, n_seeds])
                p = np.array(
                    [_draw_p_values(draws, n_seeds, n_examples, shift) for _ in range(options.repeats)]
                )
                yield [str(n_examples), str(n_seeds), f"{shift:g}", *_describe(p)]


def _describe(p: np.ndarray) -> Iterator[str]:
    """Of p values [repeats, contrasts]: an interval holds zero where its p is above its level."""
    level = ALPHA / p.shape[1]
    false_verdicts = (p < level).any(1).mean()
    for share in (false_verdicts, (p < ALPHA).mean(), (p < level).mean()):
        yield f"{100 * share:.2f}%"
    for share in ((p >= ALPHA).all(1).mean(), 1 - false_verdicts):
        yield f"{100 * share:.1f}%"


def _draw_p_values(draws: np.random.Generator, n_seeds: int, n_examples: int, shift: float) -> list[float]:
    """Of all contrasts of a study whose arms are equal."""
    hard = draws.normal(size=n_examples)
    answers = [_draw_arm(draws, hard, n_seeds, shift) for _ in range(ARMS + 1)]
    estimates = [estimate_two_way(arm[k] - answers[0][k]) for arm in answers[1:] for k in range(SIZES)]
    return [1.0 if estimate is None else estimate.p for estimate in estimates]


def _draw_arm(draws: np.random.Generator, hard: np.ndarray, n_seeds: int, shift: float) -> np.ndarray:
    """Right and wrong answers [sizes, S, N] of one arm, whose sizes find the same examples hard."""
    lean = LEAN * draws.normal(size=len(hard))
    shifts = shift * draws.normal(size=(SIZES, n_seeds, 1))
    noise = draws.normal(size=(SIZES, n_seeds, len(hard)))
    return (hard + lean + shifts + noise > 0).astype(float)
