"""What pretraining is worth in labels, or in updates: how many the control needs; never extrapolated.

Hernandez et al. 2021, "Scaling Laws for Transfer": effective data transferred. The control's mean score by
number of labels is made monotone (isotonic regression) and inverted, linear in log n between the numbers
that were run.

Shapes: K amounts (numbers of labels, or of updates), S seeds, N test examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from headstart.stats.resample import N_RESAMPLES
from headstart.stats.summary import LEVEL
from headstart.stats.two_way import TwoWayEstimate, estimate_difference

#: Scores that differ by less are one: means of equal numbers differ in the last digit.
_SAME: Final = 1e-9
#: Candidates between two neighbouring amounts, for the ends of an interval.
_FINE: Final = 32


@dataclass(frozen=True)
class LearningCurve:
    """Scores by ascending `amounts` [K] of labels or updates: `by_seed` [K, S], `by_example` [K, S, N].

    `groups` [N] are equal for examples of one group; None where each is by itself.
    """

    amounts: np.ndarray
    by_seed: np.ndarray
    by_example: np.ndarray | None = None
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Worth:
    """What `amount` labels (or updates) are worth to an arm, in those of its control.

    `worth` is infinite where the control never reaches the score ("more than its largest amount"), and zero
    where its smallest surpasses it ("less than"); the ends of intervals likewise. `low` and `high`: 95%, over
    seeds, and over test examples where they are known; `bootstrap_low` and `bootstrap_high`: percentiles over
    seeds, which are too narrow with few of them.
    """

    amount: int
    score: float
    worth: float
    low: float | None
    high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None

    @property
    def ratio(self) -> float:
        """How many of the control's labels (or updates) one of the arm's is worth."""
        return self.worth / self.amount


def estimate_worth(
    arm: LearningCurve,
    control: LearningCurve,
    generator: np.random.Generator,
    *,
    lower_is_better: bool = False,
    n_resamples: int = N_RESAMPLES,
) -> list[Worth]:
    """The worth of each of the arm's amounts; column s of both curves has the same seed.

    Args:
        generator: draws seeds, the same of both arms and all amounts, which share subsets and order.

    Raises:
        ValueError: the control has fewer than two amounts, or they do not ascend.
    """
    if len(control.amounts) < 2 or (np.diff(control.amounts) <= 0).any():
        raise ValueError(f"at least two ascending sizes expected, got {control.amounts.tolist()}")
    sign = -1.0 if lower_is_better else 1.0
    scores = arm.by_seed.mean(1)
    worths = _invert(control.amounts, sign * scores, sign * control.by_seed.mean(1))
    intervals = [_find_interval(arm, control, k, sign) for k in range(len(arm.amounts))]
    bootstraps = _bootstrap_intervals(arm, control, sign, generator, n_resamples)
    return [
        Worth(int(amount), float(score), float(worth), *interval, *bootstrap)
        for amount, score, worth, interval, bootstrap in zip(
            arm.amounts, scores, worths, intervals, bootstraps, strict=True
        )
    ]


def _find_interval(
    arm: LearningCurve, control: LearningCurve, k: int, sign: float
) -> tuple[float | None, float | None]:
    """The amounts at which the control is neither surely below the arm nor surely above it.

    At each candidate the control's scores are read between their neighbours, seed by seed, and compared with
    the arm's by the interval that contrasts have (after Fieller 1954): no resampling, so no fewer seeds than
    are needed. The ends are rounded outwards to the next candidate.
    """
    candidates, leads = _is_ahead(arm, control, k, sign)
    if all(lead is None for lead in leads):
        return None, None
    is_behind = [lead is not None and lead.mean > 0 and lead.p < 1 - LEVEL for lead in leads]
    is_ahead = [lead is not None and lead.mean < 0 and lead.p < 1 - LEVEL for lead in leads]
    first = next((i for i, behind in enumerate(is_behind) if not behind), len(candidates))
    last = next((i for i in range(len(candidates) - 1, -1, -1) if not is_ahead[i]), -1)
    low = np.inf if first == len(candidates) else candidates[first - 1] if first else 0.0
    high = 0.0 if last < 0 else candidates[last + 1] if last + 1 < len(candidates) else np.inf
    return float(low), float(high)


def _is_ahead(
    arm: LearningCurve, control: LearningCurve, k: int, sign: float
) -> tuple[list[float], list[TwoWayEstimate | None]]:
    """Amounts from the control's smallest to its largest, and by how much the arm leads it there."""
    fractions = np.linspace(0, 1, _FINE, endpoint=False)
    places = [(i, fraction) for i in range(len(control.amounts) - 1) for fraction in fractions]
    places.append((len(control.amounts) - 2, 1.0))
    logs = np.log(control.amounts)
    candidates = [float(np.exp(logs[i] + fraction * (logs[i + 1] - logs[i]))) for i, fraction in places]
    leads = []
    for i, fraction in places:
        by_seed = sign * (arm.by_seed[k] - _interpolate(control.by_seed, i, fraction))
        by_example = None
        if arm.by_example is not None and control.by_example is not None:
            by_example = sign * (arm.by_example[k] - _interpolate(control.by_example, i, fraction))
        leads.append(estimate_difference(by_seed, by_example, arm.groups))
    return candidates, leads


def _interpolate(scores: np.ndarray, i: int, share: float) -> np.ndarray:
    return np.asarray((1 - share) * scores[i] + share * scores[i + 1])


def _bootstrap_intervals(
    arm: LearningCurve,
    control: LearningCurve,
    sign: float,
    generator: np.random.Generator,
    n_resamples: int,
) -> list[tuple[float | None, float | None]]:
    n_seeds = arm.by_seed.shape[1]
    if n_seeds < 2:
        return [(None, None)] * len(arm.amounts)
    resampled_seeds = generator.integers(0, n_seeds, (n_resamples, n_seeds))
    means = [sign * curve.by_seed[:, resampled_seeds].mean(2) for curve in (arm, control)]  # [K, resamples]
    worths = np.array([_invert(control.amounts, *pair) for pair in zip(means[0].T, means[1].T, strict=True)])
    lows, highs = (_compute_quantile(worths, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return [(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]


def _invert(amounts: np.ndarray, arm: np.ndarray, control: np.ndarray) -> np.ndarray:
    """The control's amount for each of the arm's scores; larger scores are better."""
    curve = np.asarray(optimize.isotonic_regression(control).x)
    return np.array([_find_amount(score, amounts, curve) for score in arm])


def _find_amount(score: float, amounts: np.ndarray, curve: np.ndarray) -> float:
    """The smallest amount at which a rising curve reaches the score; 0 below it all, infinite above."""
    if score < curve[0] - _SAME:
        return 0.0
    if score > curve[-1] + _SAME:
        return float("inf")
    i = int(np.searchsorted(curve, score - _SAME, side="left"))
    if i == 0 or score >= curve[i] - _SAME:
        return float(amounts[i])
    share = (score - curve[i - 1]) / (curve[i] - curve[i - 1])
    low, high = np.log(amounts[i - 1]), np.log(amounts[i])
    return float(np.exp(low + share * (high - low)))


def _compute_quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Of each column, the value of that rank: infinities have no middle."""
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))])
