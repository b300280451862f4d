"""How often intervals of differences that know their limits hold the truth, beside plain ones cut there."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from scipy import stats

from coverage_laws import LEAN, draw_right
from headstart.stats.two_way import TwoWayEstimate, estimate_two_way

#: What an arm and its control are right about, in units of an answer's noise.
PAIRS: Final = {
    "half, half": (0.2, 0.0),
    "84%, 16%": (1.5, -1.5),
    "98%, 97%": (3.12, 2.82),
    "97%, half": (2.82, 0.0),
}
#: Deviation of a seed's own shift.
SHIFT: Final = 0.1


def simulate_limits(options: argparse.Namespace) -> Iterator[list[str]]:
    """How often 95% intervals hold, with their mean width in points, and how many plain ones reach beyond."""
    yield ["right", "examples", "seeds", "plain, cut", "with limits", "beyond, uncut", "other verdicts"]
    for name, pair in PAIRS.items():
        for n_examples in options.examples:
            for n_seeds in options.seeds:
                draws = np.random.default_rng([n_examples, n_seeds])
                found = [_draw_estimate(draws, pair, n_seeds, n_examples) for _ in range(options.repeats)]
                known = [estimate for estimate in found if estimate is not None]
                yield [name, f"{n_examples:,}", str(n_seeds), *_count(known, _expect_difference(pair))]


def _draw_estimate(
    draws: np.random.Generator, pair: tuple[float, float], n_seeds: int, n_examples: int
) -> TwoWayEstimate | None:
    hard = draws.normal(size=n_examples)
    arm, control = (
        draw_right(draws, hard + LEAN * draws.normal(size=n_examples) + ease, n_seeds, SHIFT) for ease in pair
    )
    return estimate_two_way(arm - control)


def _expect_difference(pair: tuple[float, float]) -> float:
    arm, control = (stats.norm.cdf(ease / np.sqrt(2 + LEAN**2 + SHIFT**2)) for ease in pair)
    return float(arm - control)


def _count(estimates: Sequence[TwoWayEstimate], truth: float) -> list[str]:
    plain = np.array([estimate.compute_interval() for estimate in estimates])
    limited = np.array([estimate.compute_interval(limit=1.0) for estimate in estimates])
    beyond = 100 * float(np.mean(np.abs(plain).max(1) > 1))
    other = int(np.sum(_hold(plain, 0.0) != _hold(limited, 0.0)))
    return [_describe(plain.clip(-1, 1), truth), _describe(limited, truth), f"{beyond:.1f}%", str(other)]


def _describe(ends: np.ndarray, truth: float) -> str:
    width = 100 * float((ends[:, 1] - ends[:, 0]).mean())
    return f"{100 * float(_hold(ends, truth).mean()):.1f}% ({width:.1f})"


def _hold(ends: np.ndarray, value: float) -> np.ndarray:
    return np.asarray((ends[:, 0] <= value) & (value <= ends[:, 1]))
