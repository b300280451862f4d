"""What pretraining is worth in labels: how many the control needs for the same score; never extrapolated.

Hernandez et al. 2021, "Scaling Laws for Transfer": effective data transferred. The control's mean score by
number of labels is made monotone (isotonic regression) and inverted, linear in log n between the sizes that
were run.

Shapes: K sizes, S seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from headstart.stats.crossed import LEVEL

_DRAWS: Final = 2000
#: Scores that differ by less are one: means of equal numbers differ in the last digit.
_SAME: Final = 1e-9


@dataclass(frozen=True)
class Worth:
    """What `labels` labels are worth to an arm, in labels of its control.

    `worth` is infinite where the control never reaches the score ("more than its largest size"), and zero
    where its smallest size surpasses it ("less than"); `low` and `high` likewise, a 95% bootstrap interval
    over seeds.
    """

    labels: int
    score: float
    worth: float
    low: float | None
    high: float | None

    @property
    def times(self) -> float:
        """How many labels of the control one of the arm's is worth."""
        return self.worth / self.labels


def label_worth(
    labels: np.ndarray,
    arm: np.ndarray,
    control: np.ndarray,
    generator: np.random.Generator,
    *,
    lower_is_better: bool = False,
    draws: int = _DRAWS,
) -> list[Worth]:
    """The worth of each size of an arm.

    Args:
        labels: sizes [K], ascending.
        arm: scores [K, S]; `control` likewise, column s of both with the same seed.
        generator: draws seeds, the same of both arms and all sizes, which share subsets and order.

    Raises:
        ValueError: fewer than two sizes, or sizes that do not ascend.
    """
    if len(labels) < 2 or (np.diff(labels) <= 0).any():
        raise ValueError(f"at least two ascending sizes expected, got {labels.tolist()}")
    sign = -1.0 if lower_is_better else 1.0
    found = _worths(labels, sign * arm.mean(1), sign * control.mean(1))
    seeds = arm.shape[1]
    if seeds < 2:
        return [_worth(*one, None, None) for one in zip(labels, arm.mean(1), found, strict=True)]
    chosen = generator.integers(0, seeds, (draws, seeds))
    resampled = np.array(
        [_worths(labels, sign * arm[:, own].mean(1), sign * control[:, own].mean(1)) for own in chosen]
    )
    ends = [_quantile(resampled, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)]
    return [_worth(*one) for one in zip(labels, arm.mean(1), found, *ends, strict=True)]


def _worth(labels: int, score: float, worth: float, low: float | None, high: float | None) -> Worth:
    ends = (None if end is None else float(end) for end in (low, high))
    return Worth(int(labels), float(score), float(worth), *ends)


def _worths(labels: np.ndarray, arm: np.ndarray, control: np.ndarray) -> np.ndarray:
    """The control's labels for each of the arm's scores [K]; larger scores are better."""
    curve = np.asarray(optimize.isotonic_regression(control).x)
    return np.array([_needed(labels, curve, score) for score in arm])


def _needed(labels: np.ndarray, curve: np.ndarray, score: float) -> float:
    """The fewest labels at which a rising curve reaches the score: 0 below it all, infinite above it all."""
    if score < curve[0] - _SAME:
        return 0.0
    if score > curve[-1] + _SAME:
        return float("inf")
    at = int(np.searchsorted(curve, score - _SAME, side="left"))
    if at == 0 or score >= curve[at] - _SAME:
        return float(labels[at])
    share = (score - curve[at - 1]) / (curve[at] - curve[at - 1])
    low, high = np.log(labels[at - 1]), np.log(labels[at])
    return float(np.exp(low + share * (high - low)))


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Of each column, the value of that rank: infinities have no middle."""
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))])
