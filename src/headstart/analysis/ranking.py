"""Ranks the arms that one may choose among: tiers, what their runs took, and which are within the margin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from headstart.analysis.collapsed import mark_contrasts
from headstart.analysis.contrasts import compare_pairs
from headstart.analysis.judging import Judging, select_ends
from headstart.analysis.run_energy import list_own_joules
from headstart.analysis.scores import ArmScores
from headstart.analysis.tiers import find_tiers, list_pairs
from headstart.config.metrics import MetricInfo
from headstart.config.sizes import Size, find_largest_size
from headstart.config.study import Study
from headstart.records import ArmCost, Contrast, OutcomeRow, RunRecord, TierRow

#: Arms that are ranked: the time of all pairs goes with their square, and more than these nobody chooses
#: among by a table.
_MOST: Final = 30
#: Arms that a control and one other make are ranked by their contrast alone.
_FEWEST_ARMS: Final = 3
#: Seconds that differ by less are the same: a busy machine makes as much of a difference.
_NOTABLE: Final = 0.1


@dataclass(frozen=True)
class Ranking:
    """The candidates at one size, the best mean first, by `pairs`, which hold at once.

    `left_out` is the control that starts from random weights, which nobody would choose, and
    `left_out_is_better` whether its mean is nevertheless better than every arm's. `within_margin` are
    the arms of which it is shown that none is better by the margin or more, None where none is stated.
    `collapsed` are arms with runs that collapsed.
    """

    metric: MetricInfo
    size: Size
    tiers: tuple[TierRow, ...]
    pairs: tuple[Contrast, ...]
    costs: Mapping[str, ArmCost]
    margin: float | None = None
    within_margin: tuple[str, ...] | None = None
    left_out: str | None = None
    left_out_is_better: bool = False
    is_sequential: bool = False
    collapsed: tuple[str, ...] = ()

    def find_gap(self, arm: str, other: str) -> tuple[float, float] | None:
        """The ends of the interval of `arm` minus `other`, which holds for all pairs, or None."""
        for row in self.pairs:
            low, high = select_ends(row, is_sequential=self.is_sequential)
            if low is not None and high is not None and {row.arm, row.control} == {arm, other}:
                return (low, high) if row.arm == arm else (-high, -low)
        return None

    @property
    def cheapest(self) -> tuple[ArmCost, ...]:
        """Of those within the margin the one that trains the fewest parameters, then the fastest if that is
        another by a tenth or more; nothing where costs are not known."""
        return find_cheapest([self.costs[arm] for arm in self.within_margin or () if arm in self.costs])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "metric": self.metric.name,
            "size": self.size,
            "left_out": self.left_out,
            "left_out_is_better": self.left_out_is_better,
            "collapsed": list(self.collapsed),
            "tiers": [row.model_dump() for row in self.tiers],
            "pairs": [row.model_dump() for row in self.pairs],
            "costs": [self.costs[row.arm].model_dump() for row in self.tiers if row.arm in self.costs],
            "margin": self.margin,
            "within_margin": None if self.within_margin is None else list(self.within_margin),
            "cheapest": [cost.arm for cost in self.cheapest],
        }


def rank_arms(
    scores: Sequence[ArmScores],
    judging: Judging,
    *,
    left_out: str | None,
    runs: Iterable[RunRecord] = (),
    seed: int = 0,
) -> Ranking | None:
    """The ranking at the largest size; None of fewer than three arms, as where there are no scores, of one
    candidate, of too many, or where no arm has two seeds, so that nothing could tell them apart.

    Args:
        left_out: the arm that is no candidate.
        runs: by which the arms are judged, for what they cost.
        seed: of the bootstrap.
    """
    if len(scores) < _FEWEST_ARMS:
        return None
    size = find_largest_size({one.size for one in scores})
    at_size = [one for one in scores if one.size == size]
    candidates = [one for one in at_size if one.arm != left_out]
    if len(at_size) < _FEWEST_ARMS or not 1 < len(candidates) <= _MOST:
        return None
    if max(len(one.by_seed) for one in candidates) < 2:
        return None
    # Tiers are of what is better at all: a margin would call a clear difference within it none.
    compared = compare_pairs(candidates, list_pairs(candidates), replace(judging, margin=None), seed)
    tiers = find_tiers(compared.summary, compared.contrasts, judging.metric)
    return Ranking(
        metric=judging.metric,
        size=size,
        tiers=tiers,
        pairs=compared.contrasts,
        costs=_measure_costs([run for run in runs if run.size == size]),
        margin=judging.margin,
        within_margin=_list_within_margin([row.arm for row in tiers], compared.contrasts, judging),
        is_sequential=judging.is_sequential,
        left_out=left_out if len(candidates) < len(at_size) else None,
        left_out_is_better=_is_left_out_better(at_size, left_out, tiers, judging.metric),
    )


def _is_left_out_better(
    scores: Sequence[ArmScores], left_out: str | None, tiers: Sequence[TierRow], metric: MetricInfo
) -> bool:
    sign = -1 if metric.lower_is_better else 1
    of_left_out = [float(np.mean(list(one.by_seed.values()))) for one in scores if one.arm == left_out]
    return any(sign * mean > sign * tiers[0].mean for mean in of_left_out)


def mark_ranking(ranking: Ranking | None, outcomes: Sequence[OutcomeRow]) -> Ranking | None:
    """The ranking with which of its arms have runs that collapsed."""
    if ranking is None:
        return None
    dead = {row.arm for row in outcomes if row.n_collapsed and row.size == ranking.size}
    return replace(
        ranking,
        pairs=mark_contrasts(ranking.pairs, outcomes),
        collapsed=tuple(row.arm for row in ranking.tiers if row.arm in dead),
    )


def find_left_out(study: Study) -> str | None:
    """The control, where it starts from random weights: it asks what pretraining is worth."""
    control = study.control_arm
    return control if control and study.arms[control].init == "random" else None


def find_cheapest(costs: Sequence[ArmCost]) -> tuple[ArmCost, ...]:
    """As `Ranking.cheapest`, of these."""
    if not costs:
        return ()
    fastest = min(costs, key=lambda cost: cost.seconds)
    counted = [cost for cost in costs if cost.parameters is not None]
    fewest = min(counted, key=lambda cost: (cost.parameters, cost.seconds), default=fastest)
    is_slower = fewest.seconds > (1 + _NOTABLE) * fastest.seconds
    return (fewest, fastest) if is_slower else (fewest,)


def _measure_costs(runs: Sequence[RunRecord]) -> dict[str, ArmCost]:
    arms = dict.fromkeys(run.arm for run in runs)
    return {arm: _measure_cost(arm, [run for run in runs if run.arm == arm]) for arm in arms}


def _measure_cost(arm: str, runs: Sequence[RunRecord]) -> ArmCost:
    together = [run.execution.pack_size if run.execution else 1 for run in runs]
    peaks = [run.peak_device_memory_bytes or run.peak_memory_bytes or 0 for run in runs]
    joules = list_own_joules(runs)
    counted = [run.parameters.trainable for run in runs if run.parameters]
    return ArmCost(
        arm=arm,
        n_runs=len(runs),
        parameters=max(counted, default=None),
        seconds=float(np.mean([run.own_seconds for run in runs])),
        memory_bytes=max(peaks) or None,
        together=max(together),
        joules=float(np.mean(joules)) if joules else None,
    )


def _list_within_margin(
    arms: Sequence[str], pairs: Sequence[Contrast], judging: Judging
) -> tuple[str, ...] | None:
    """The arms than which none is better by the margin or more, by the intervals of all pairs at once.

    Whichever arm is truly the best, it is among those that each is compared with: so "not worse than the best
    by the margin" needs no other level, whatever the data made look best.
    """
    if judging.margin is None:
        return None
    margin = judging.margin / judging.metric.points
    losses = {(loser, other): lost for row in pairs for loser, other, lost in _list_losses(row, judging)}
    return tuple(arm for arm in arms if all(losses[arm, other] < margin for other in arms if other != arm))


def _list_losses(row: Contrast, judging: Judging) -> list[tuple[str, str, float]]:
    """By how much each of the two may be worse than the other at most; infinite without an interval."""
    low, high = select_ends(row, is_sequential=judging.is_sequential)
    if low is None or high is None:
        return [(row.arm, row.control, np.inf), (row.control, row.arm, np.inf)]
    of_arm, of_control = (high, -low) if judging.metric.lower_is_better else (-low, high)
    return [(row.arm, row.control, of_arm), (row.control, row.arm, of_control)]
