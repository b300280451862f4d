"""How many errors an arm makes for each error of its control, with an interval that agrees with verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from headstart.stats.two_way import estimate_difference

#: The largest ratio that is looked at, and how near to an end the search stops.
_MOST: Final = 1e3
_NEAR: Final = 1e-4


@dataclass(frozen=True)
class ErrorRatio:
    """The arm's errors for each of the control's; without an upper end where the control may make none."""

    ratio: float
    low: float
    high: float | None


@dataclass(frozen=True)
class Errors:
    """Errors by seed [S], and by example [S, N] in `groups` [N], as `stats.two_way` takes scores."""

    by_seed: np.ndarray
    by_example: np.ndarray | None = None
    groups: np.ndarray | None = None


def estimate_error_ratio(arm: Errors, control: Errors, level: float) -> ErrorRatio | None:
    """The ratio of mean errors with an interval of this level; None without an error, or without variation.

    Fieller 1954: a ratio r is in the interval where the mean of arm - r control, over seeds and examples by
    the law of `stats.two_way`, is not significantly other than zero. Of r = 1 that is the very test behind
    the verdict, so at its level the two never contradict each other.
    """
    errors = float(control.by_seed.mean())
    if errors <= 0 or _compute_p(arm, control, 1.0) is None:
        return None
    alpha, ratio = 1 - level, float(arm.by_seed.mean()) / errors
    low = 0.0 if _is_inside(arm, control, 0.0, alpha) else _find_end(arm, control, 0.0, ratio, alpha)
    far = max(2 * ratio, 1.0)
    while far < _MOST and _is_inside(arm, control, far, alpha):
        far *= 2
    high = None if _is_inside(arm, control, far, alpha) else _find_end(arm, control, ratio, far, alpha)
    return ErrorRatio(ratio, low, high)


def _compute_p(arm: Errors, control: Errors, ratio: float) -> float | None:
    """p of the arm making `ratio` times the control's errors; None without variation."""
    by_example = None
    if arm.by_example is not None and control.by_example is not None:
        by_example = arm.by_example - ratio * control.by_example
    estimate = estimate_difference(arm.by_seed - ratio * control.by_seed, by_example, arm.groups)
    return None if estimate is None else estimate.p


def _is_inside(arm: Errors, control: Errors, ratio: float, alpha: float) -> bool:
    p = _compute_p(arm, control, ratio)
    return p is None or p >= alpha


def _find_end(arm: Errors, control: Errors, start: float, stop: float, alpha: float) -> float:
    """Where p crosses `alpha`; without variation p is as that of the estimate itself, one."""

    def excess(ratio: float) -> float:
        p = _compute_p(arm, control, ratio)
        return (1.0 if p is None else p) - alpha

    return float(optimize.brentq(excess, start, stop, xtol=_NEAR))
