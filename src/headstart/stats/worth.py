"""What pretraining is worth in labels, or in updates: how many the control needs; never extrapolated.

Hernandez et al. 2021, "Scaling Laws for Transfer": effective data transferred. The control's mean score by
number of labels is made monotone (isotonic regression) and inverted, linear in log n between the numbers
that were run.

Shapes: K numbers of labels (or updates), S seeds, N test texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from headstart.stats.crossed import Spread
from headstart.stats.resample import DRAWS
from headstart.stats.summary import LEVEL
from headstart.stats.versus import over_both

#: Scores that differ by less are one: means of equal numbers differ in the last digit.
_SAME: Final = 1e-9
#: Candidates between two neighbouring numbers, for the ends of an interval.
_FINE: Final = 32


@dataclass(frozen=True)
class Curve:
    """Scores by number of labels (or updates), `at` [K], ascending: `by_seed` [K, S], `by_text` [K, S, N]."""

    at: np.ndarray
    by_seed: np.ndarray
    by_text: np.ndarray | None = None


@dataclass(frozen=True)
class Worth:
    """What `at` labels (or updates) are worth to an arm, in those of its control.

    `worth` is infinite where the control never reaches the score ("more than its largest number"), and zero
    where its smallest surpasses it ("less than"); the ends of intervals likewise. `low` and `high`: 95%, over
    seeds, and over test texts where they are known; `bootstrap_low` and `bootstrap_high`: percentiles over
    seeds, which are too narrow with few of them.
    """

    at: int
    score: float
    worth: float
    low: float | None
    high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None

    @property
    def times(self) -> float:
        """How many of the control's one of the arm's is worth."""
        return self.worth / self.at


def worths(
    arm: Curve,
    control: Curve,
    generator: np.random.Generator,
    *,
    lower_is_better: bool = False,
    draws: int = DRAWS,
) -> list[Worth]:
    """The worth of each of the arm's numbers; column s of both curves has the same seed.

    Args:
        generator: draws seeds, the same of both arms and all numbers, which share subsets and order.

    Raises:
        ValueError: the control has fewer than two numbers, or they do not ascend.
    """
    if len(control.at) < 2 or (np.diff(control.at) <= 0).any():
        raise ValueError(f"at least two ascending sizes expected, got {control.at.tolist()}")
    sign = -1.0 if lower_is_better else 1.0
    scores = arm.by_seed.mean(1)
    found = _worths(control.at, sign * scores, sign * control.by_seed.mean(1))
    intervals = [_interval(arm, control, k, sign) for k in range(len(arm.at))]
    boot = _bootstrap(arm, control, sign, generator, draws)
    return [
        Worth(int(at), float(score), float(worth), *own, *ends)
        for at, score, worth, own, ends in zip(arm.at, scores, found, intervals, boot, strict=True)
    ]


def _interval(arm: Curve, control: Curve, k: int, sign: float) -> tuple[float | None, float | None]:
    """The numbers at which the control is neither surely below the arm nor surely above it.

    At each candidate the control's scores are read between their neighbours, seed by seed, and held against
    the arm's by the interval that contrasts have (after Fieller 1954): no resampling, so no fewer seeds than
    are needed. The ends are rounded outwards to the next candidate.
    """
    grid, spreads = _candidates(arm, control, k, sign)
    if all(one is None for one in spreads):
        return None, None
    behind = [one is not None and one.low > 0 for one in spreads]
    ahead = [one is not None and one.high < 0 for one in spreads]
    first = next((i for i, is_behind in enumerate(behind) if not is_behind), len(grid))
    last = next((i for i in range(len(grid) - 1, -1, -1) if not ahead[i]), -1)
    low = np.inf if first == len(grid) else grid[first - 1] if first else 0.0
    high = 0.0 if last < 0 else grid[last + 1] if last + 1 < len(grid) else np.inf
    return float(low), float(high)


def _candidates(arm: Curve, control: Curve, k: int, sign: float) -> tuple[list[float], list[Spread | None]]:
    """Numbers from the control's smallest to its largest, and by how much the arm is above it there."""
    steps = np.linspace(0, 1, _FINE, endpoint=False)
    places = [(i, share) for i in range(len(control.at) - 1) for share in steps]
    places.append((len(control.at) - 2, 1.0))
    logs = np.log(control.at)
    grid = [float(np.exp(logs[i] + share * (logs[i + 1] - logs[i]))) for i, share in places]
    texts = None if arm.by_text is None or control.by_text is None else (arm.by_text[k], control.by_text)
    return grid, [
        over_both(
            sign * (arm.by_seed[k] - _between(control.by_seed, *place)),
            None if texts is None else sign * (texts[0] - _between(texts[1], *place)),
        )
        for place in places
    ]


def _between(scores: np.ndarray, i: int, share: float) -> np.ndarray:
    return np.asarray((1 - share) * scores[i] + share * scores[i + 1])


def _bootstrap(
    arm: Curve, control: Curve, sign: float, generator: np.random.Generator, draws: int
) -> list[tuple[float | None, float | None]]:
    seeds = arm.by_seed.shape[1]
    if seeds < 2:
        return [(None, None)] * len(arm.at)
    chosen = generator.integers(0, seeds, (draws, seeds))
    means = [sign * one.by_seed[:, chosen].mean(2) for one in (arm, control)]  # [K, draws]
    resampled = np.array([_worths(control.at, *one) for one in zip(means[0].T, means[1].T, strict=True)])
    ends = [_quantile(resampled, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)]
    return [(float(low), float(high)) for low, high in zip(*ends, strict=True)]


def _worths(at: np.ndarray, arm: np.ndarray, control: np.ndarray) -> np.ndarray:
    """The control's number for each of the arm's scores; larger scores are better."""
    curve = np.asarray(optimize.isotonic_regression(control).x)
    return np.array([_needed(at, curve, score) for score in arm])


def _needed(at: np.ndarray, curve: np.ndarray, score: float) -> float:
    """The smallest number at which a rising curve reaches the score; 0 below it all, infinite above."""
    if score < curve[0] - _SAME:
        return 0.0
    if score > curve[-1] + _SAME:
        return float("inf")
    i = int(np.searchsorted(curve, score - _SAME, side="left"))
    if i == 0 or score >= curve[i] - _SAME:
        return float(at[i])
    share = (score - curve[i - 1]) / (curve[i] - curve[i - 1])
    low, high = np.log(at[i - 1]), np.log(at[i])
    return float(np.exp(low + share * (high - low)))


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Of each column, the value of that rank: infinities have no middle."""
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))])
