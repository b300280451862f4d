"""How often an arm wins a prompt that its control answers too: by a measure over seeds, or by judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.stats.example_intervals import estimate_examples_interval
from headstart.stats.paired_tests import mcnemar_p
from headstart.stats.shares import compute_bounded_interval
from headstart.stats.summary import ALPHA
from headstart.stats.two_way import count_units, estimate_two_way

_ENDS: Final = (0.0, 1.0)


@dataclass(frozen=True)
class WinRate:
    """The share of pairs of answers in which the arm's is better, ties counting half, with its 95% interval.

    `ties` is the share of ties. One seed has no interval, nor has a single prompt or group of prompts.
    """

    rate: float
    ties: float
    low: float | None
    high: float | None


def estimate_win_rate(
    arm: np.ndarray,
    control: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    lower_is_better: bool = False,
    shared: float = 0.0,
) -> WinRate:
    """Of scores [S, N] of the same S seeds on the same N prompts.

    A pair counts 1, 0.5 or 0: a table of seeds and prompts as differences are, so the error is that of
    `stats.two_way`, in the score form, which keeps to 0 and 1. Where every pair counts the same, it is
    Wilson's for as many draws as there are prompts, or groups of them.

    Args:
        groups: of which group each prompt is, [N]; by default each is its own.
        shared: as `TwoWayEstimate.add_shared_part`.
    """
    signs = np.sign(control - arm if lower_is_better else arm - control)
    outcomes = (1 + signs) / 2
    rate, ties = float(outcomes.mean()), float((signs == 0).mean())
    return WinRate(rate, ties, *(_find_ends(outcomes, rate, groups, shared) or (None, None)))


def _find_ends(
    outcomes: np.ndarray, rate: float, groups: np.ndarray | None, shared: float
) -> tuple[float, float] | None:
    if len(outcomes) < 2 or count_units(outcomes, groups) < 2:
        return None
    estimate = estimate_two_way(outcomes, groups)
    if estimate is None:
        return estimate_examples_interval(rate, outcomes, None, _ENDS, groups=groups)
    reach = estimate.add_shared_part(len(outcomes), shared).compute_interval()[1] - rate
    return compute_bounded_interval(rate, reach**2, 1.0, _ENDS)


@dataclass(frozen=True)
class JudgedRate:
    """A win rate as people judge it, ties counting half, with its 95% interval over prompts.

    `p_sign` is of the exact sign test: of the prompts on which one answer is preferred, each arm has as many
    by chance. The interval leaves one half out only where this test does.
    """

    rate: float
    low: float | None
    high: float | None
    p_sign: float


def estimate_judged_rate(preferred: np.ndarray, groups: np.ndarray | None = None) -> JudgedRate:
    """Of how far the arm is preferred on each of N prompts, from 0 to 1, [N]: 0.5 is a tie.

    The interval is Wilson's for as many draws as have the variance over prompts (`stats.example_intervals`).
    Near one half it may exclude what the exact test does not: then it ends there.

    Args:
        groups: of which group each prompt is, [N]; by default each is its own. The test then takes whole
            groups for its units.
    """
    rate = float(preferred.mean())
    signs = np.sign(preferred - 0.5)
    p_sign = mcnemar_p(signs, np.zeros_like(signs), groups)
    ends = estimate_examples_interval(rate, preferred[None], None, _ENDS, groups=groups)
    if ends is None:
        return JudgedRate(rate, None, None, p_sign)
    low, high = ends if p_sign < ALPHA else (min(ends[0], 0.5), max(ends[1], 0.5))
    return JudgedRate(rate, low, high, p_sign)
