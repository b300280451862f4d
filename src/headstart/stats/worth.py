"""What pretraining is worth in labels, or in updates: how many the control needs; never extrapolated.

Hernandez et al. 2021, "Scaling Laws for Transfer": effective data transferred. The control's score is read
linearly in log n between the numbers that were run, and its worth is the fewest with which it reaches the
arm's score: a curve that falls again has reached it all the same.

Shapes: K amounts (numbers of labels, or of updates), S seeds, N test examples, D resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from headstart.stats.resample import N_RESAMPLES
from headstart.stats.summary import ALPHA, LEVEL
from headstart.stats.two_way import TwoWayEstimate, estimate_difference

#: Scores that differ by less are one: means of equal numbers differ in the last digit.
_SAME: Final = 1e-9
#: Candidates between two neighbouring amounts, for the ends of an interval.
_FINE: Final = 32
#: Neighbouring amounts further apart than this factor: a curve between them is not linear in log n.
_WIDE: Final = 3.0
_TAILS: Final = (1 - LEVEL) / 2, (1 + LEVEL) / 2


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
    seeds, which are too narrow with few of them. `below_again` is the first amount, after the control reached
    the score, with which it is below it again; None where it stays.
    """

    amount: int
    score: float
    worth: float
    low: float | None
    high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    below_again: int | None = None

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
    bootstraps = _bootstrap_intervals(arm, control, sign, generator, n_resamples)
    return [_estimate_amount(arm, control, k, sign, bootstrap) for k, bootstrap in enumerate(bootstraps)]


def find_wide_gaps(amounts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Neighbours among ascending amounts that are more than a factor of three apart.

    Learning curves are not linear in log n between such, so what is read there holds the truth rarely
    (`benchmarks/coverage.py worth`).
    """
    return tuple((low, high) for low, high in pairwise(amounts) if high > _WIDE * low)


def _estimate_amount(
    arm: LearningCurve,
    control: LearningCurve,
    k: int,
    sign: float,
    bootstrap: tuple[float | None, float | None],
) -> Worth:
    score, curve = arm.by_seed[k].mean(), control.by_seed.mean(1)
    worth = float(_find_first_crossing(control.amounts, sign * score, sign * curve))
    later = control.amounts[(control.amounts > worth) & (sign * curve < sign * score - _SAME)]
    return Worth(
        amount=int(arm.amounts[k]),
        score=float(score),
        worth=worth,
        # Above all amounts it reaches nothing, so that nothing is after it.
        below_again=int(later[0]) if len(later) else None,
        bootstrap_low=bootstrap[0],
        bootstrap_high=bootstrap[1],
        **_find_interval(arm, control, k, sign),
    )


def _find_first_crossing(amounts: np.ndarray, scores: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """The fewest with which curves [..., K] reach scores [...]; 0 above it from the first, infinite below."""
    reached = curves >= np.asarray(scores)[..., None] - _SAME
    after = reached.argmax(-1)
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(curves, i[..., None], -1)[..., 0] for i in (before, after))
    rise = np.where(high > low, high - low, 1.0)
    share = np.clip((scores - low) / rise, 0.0, 1.0)
    logs = np.log(amounts)
    crossing = np.exp(logs[before] + share * (logs[after] - logs[before]))
    crossing = np.where(np.abs(scores - high) <= _SAME, amounts[after], crossing)
    is_surpassed = (after == 0) & (high > scores + _SAME)
    return np.asarray(np.where(~reached.any(-1), np.inf, np.where(is_surpassed, 0.0, crossing)))


def _find_interval(
    arm: LearningCurve, control: LearningCurve, k: int, sign: float
) -> dict[str, float | None]:
    """The amounts with which the control may reach the arm's score first.

    At each candidate the control's scores are read between their neighbours, seed by seed, and compared with
    the arm's by the interval that contrasts have (after Fieller 1954): no resampling, so no fewer seeds than
    are needed. It begins where the control is not surely below the arm any more, and ends where it is surely
    above from then on, so it holds every amount at which the two may be equal. Where it is not surely above
    with its largest amount there is no upper end, unless it fell: surely above with one of the K amounts that
    were run, it reached the score before that. Of K such tests each is at 5% / K. Ends are rounded outwards
    to the next candidate.
    """
    candidates, leads = _list_leads(arm, control, k, sign)
    if all(lead is None for lead in leads):
        return {"low": None, "high": None}
    first = next((i for i, lead in enumerate(leads) if not _is_sure(lead, 1)), len(candidates))
    last = next((i for i in range(len(candidates) - 1, -1, -1) if not _is_sure(leads[i], -1)), -1)
    low = np.inf if first == len(candidates) else candidates[first - 1] if first else 0.0
    if last < 0:
        return {"low": 0.0, "high": 0.0}
    if last + 1 < len(candidates):
        return {"low": float(low), "high": candidates[last + 1]}
    n_amounts = len(control.amounts)
    above = [i for i in range(n_amounts) if _is_sure(leads[i * _FINE], -1, n_amounts)]
    high = np.inf if not above else control.amounts[above[0]] if above[0] else 0.0
    return {"low": float(low), "high": float(high)}


def _is_sure(lead: TwoWayEstimate | None, side: int, n_tests: int = 1) -> bool:
    """Whether the arm's lead is surely on that side of zero: 1 above, -1 below."""
    return lead is not None and side * lead.mean > 0 and lead.p < ALPHA / n_tests


def _list_leads(
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
    arms, controls = (sign * curve.by_seed[:, resampled_seeds].mean(2) for curve in (arm, control))  # [K, D]
    worths = [_find_first_crossing(control.amounts, scores, controls.T) for scores in arms]
    ends = [[_compute_quantile(of_amount, share) for share in _TAILS] for of_amount in worths]
    return [(low, high) for low, high in ends]


def _compute_quantile(values: np.ndarray, share: float) -> float:
    """The value of that rank: infinities have no middle."""
    return float(np.sort(values)[min(len(values) - 1, round(share * (len(values) - 1)))])
