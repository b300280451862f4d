"""How often intervals over items of single runs hold the truth, and tiers leave out the best arm."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from scipy import stats

from headstart.stats.one_run import estimate_one_run
from headstart.stats.summary import ALPHA

#: Of two models: what both get right about, how much they differ in what they find hard, and their lift. Near
#: the ceiling they disagree on few items.
PAIRS: Final = {
    "half right": (0.0, 0.5, 0.2),
    "half right, equal": (0.0, 0.5, 0.0),
    "97% right": (2.5, 0.5, 0.3),
    "97% right, equal": (2.5, 0.5, 0.0),
    "99% right, equal": (3.3, 0.3, 0.0),
}
#: Items of a group that share their difficulty, and the arms' difference in it.
GROUP_SIZE: Final = 10
#: Beside 95% the level of one of 15 contrasts.
LEVELS: Final = (1 - ALPHA, 1 - ALPHA / 15)
#: Arms that are compared with each other, and how far the best are ahead of the next, in units of noise.
ARMS: Final = (5, 10)
STEPS: Final = {"all equal": 0.0, "close": 0.05, "apart": 0.2}


def simulate_items(options: argparse.Namespace) -> Iterator[list[str]]:
    """One run of two arms: intervals over items, at 95% and as one of 15, beside the plain paired t; and of
    items that come in groups of ten."""
    yield ["items", "models", "95%", "one of 15", "paired t, 95%", "paired t, one of 15"]
    for n_items in options.examples:
        for name, pair in PAIRS.items():
            draws = np.random.default_rng(n_items)
            truth, tables = _draw_pairs(draws, n_items, options.repeats, *pair)
            cells = [_count_held(tables, truth, level) for level in LEVELS]
            plain = [_count_held_plainly(tables, truth, level) for level in LEVELS]
            yield [f"{n_items:,}", name, *cells, *plain]
        yield [f"{n_items:,}", "half right, groups of 10", *_simulate_groups(n_items, options.repeats)]


def _draw_pairs(
    draws: np.random.Generator, n_items: int, repeats: int, ease: float, lean: float, lift: float
) -> tuple[float, np.ndarray]:
    """The true difference of two models' shares, and differences [repeats, N]."""
    hard = draws.normal(size=(repeats, n_items))
    right = [hard + ease + of + lean * draws.normal(size=hard.shape) > 0 for of in (lift, 0.0)]
    deviation = np.sqrt(1 + lean**2)
    truth = stats.norm.cdf((ease + lift) / deviation) - stats.norm.cdf(ease / deviation)
    return float(truth), right[0].astype(float) - right[1]


def _count_held(tables: np.ndarray, truth: float, level: float, groups: np.ndarray | None = None) -> str:
    """How many intervals hold the truth, and their mean width in points."""
    ends = []
    for differences in tables:
        estimate = estimate_one_run(differences, groups)
        ends.append((truth, truth) if estimate is None else estimate.compute_interval(level))
    return _describe(np.array(ends), truth)


def _count_held_plainly(tables: np.ndarray, truth: float, level: float) -> str:
    n_items = tables.shape[1]
    means, reach = tables.mean(1), stats.t.ppf((1 + level) / 2, n_items - 1)
    reaches = reach * tables.std(1, ddof=1) / np.sqrt(n_items)
    return _describe(np.stack([means - reaches, means + reaches], 1), truth)


def _describe(ends: np.ndarray, truth: float) -> str:
    low, high = ends.T
    held = (low <= truth) & (truth <= high)
    return f"{100 * held.mean():.2f}% ({100 * (high - low).mean():.1f})"


def _simulate_groups(n_items: int, repeats: int) -> Iterator[str]:
    """Two equal models whose difference is shared within groups: by groups, and as if there were none."""
    draws = np.random.default_rng(n_items)
    groups = np.arange(n_items) // GROUP_SIZE
    shape = (repeats, n_items // GROUP_SIZE)
    hard = draws.normal(size=shape)
    right = [
        (hard + draws.normal(size=shape))[:, groups] + 0.5 * draws.normal(size=(repeats, n_items)) > 0
        for _ in range(2)
    ]
    tables = right[0].astype(float) - right[1]
    yield from (_count_held(tables, 0.0, level, groups) for level in LEVELS)
    yield from (_count_held_plainly(tables, 0.0, level) for level in LEVELS)


def simulate_tiers(options: argparse.Namespace) -> Iterator[list[str]]:
    """Single runs of several arms: how often the best is left out of those that may be the best, how often
    any arm is said to be beaten by one that is no better, and how many may be the best."""
    yield ["items", "arms", "accuracies", "best left out", "any false", "may be best"]
    for n_items in options.examples:
        for n_arms in ARMS:
            for name, step in STEPS.items():
                draws = np.random.default_rng([n_items, n_arms])
                lifts = -step * np.arange(n_arms)
                found = [
                    _judge_arms(_draw_arms(draws, n_items, lifts), lifts) for _ in range(options.repeats)
                ]
                left_out, is_false, n_best = np.mean(found, axis=0)
                shares = (f"{100 * left_out:.2f}%", f"{100 * is_false:.2f}%", f"{n_best:.1f}")
                yield [f"{n_items:,}", str(n_arms), name, *shares]


def _draw_arms(draws: np.random.Generator, n_items: int, lifts: np.ndarray) -> np.ndarray:
    """Right and wrong [arms, N], the first arm being the best."""
    hard = draws.normal(size=n_items)
    noise = draws.normal(size=(len(lifts), n_items))
    return np.asarray(hard + lifts[:, None] + noise > 0, float)


def _judge_arms(right: np.ndarray, lifts: Sequence[float] | np.ndarray) -> tuple[bool, bool, int]:
    """Whether the first arm is left out, whether any "A beats B" is false, and how many may be the best."""
    pairs = list(combinations(range(len(right)), 2))
    beaten: set[int] = set()
    is_false = False
    for i, j in pairs:
        estimate = estimate_one_run(right[i] - right[j])
        if estimate is not None and estimate.p < ALPHA / len(pairs):
            winner, loser = (i, j) if estimate.mean > 0 else (j, i)
            beaten.add(loser)
            is_false |= bool(lifts[winner] <= lifts[loser])
    return 0 in beaten, is_false, len(right) - len(beaten)
