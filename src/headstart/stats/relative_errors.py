"""How many errors an arm makes for each error of its control, with an interval that agrees with verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from headstart.stats.summary import has_variation
from headstart.stats.two_way import (
    TwoWayEstimate,
    compute_mean_squares,
    estimate_difference,
    estimate_from_squares,
    sum_groups,
)

#: The largest ratio that is looked at, and how near to an end the search stops.
_MOST: Final = 1e3
_NEAR: Final = 1e-4
#: Three ratios, between which a quadratic is known.
_RATIOS: Final = (0.0, 1.0, 2.0)


@dataclass(frozen=True)
class ErrorRatio:
    """The arm's errors for each of the control's; without an upper end where the control may make none."""

    ratio: float
    low: float
    high: float | None


@dataclass(frozen=True)
class Errors:
    """Errors by seed [S], and by example [S, N] in `groups` [N], as `stats.two_way` takes scores; `rounding`
    is the unit that shares were rounded to."""

    by_seed: np.ndarray
    by_example: np.ndarray | None = None
    groups: np.ndarray | None = None
    rounding: float = 0.0


def estimate_error_ratio(
    arm: Errors, control: Errors, level: float, shared: float = 0.0
) -> ErrorRatio | None:
    """The ratio of mean errors with an interval of this level; None without an error, or without variation.

    Fieller 1954: a ratio r is in the interval where the mean of arm - r control, over seeds and examples by
    the law of `stats.two_way`, is not significantly other than zero. Of r = 1 that is the very test behind
    the verdict, so at its level the two never contradict each other.

    Args:
        shared: of which variance all seeds share a part, as `TwoWayEstimate.add_shared_part`.
    """
    errors = float(control.by_seed.mean())
    if errors <= 0 or len(arm.by_seed) < 2 or not _has_varying_difference(arm, control):
        return None
    estimate = _read_estimates(arm, control, shared)
    alpha, ratio = 1 - level, float(arm.by_seed.mean()) / errors

    def excess(candidate: float) -> float:
        found = estimate(candidate)
        return (1.0 if found is None else found.p) - alpha  # what does not vary does not speak against it

    low = 0.0 if excess(0.0) >= 0 else float(optimize.brentq(excess, 0.0, ratio, xtol=_NEAR))
    far = max(2 * ratio, 1.0)
    while far < _MOST and excess(far) >= 0:
        far *= 2
    high = None if excess(far) >= 0 else float(optimize.brentq(excess, ratio, far, xtol=_NEAR))
    return ErrorRatio(ratio, low, high)


def _has_varying_difference(arm: Errors, control: Errors) -> bool:
    if arm.by_example is None or control.by_example is None:
        return has_variation(arm.by_seed - control.by_seed, max(arm.rounding, control.rounding))
    return has_variation((arm.by_example - control.by_example).ravel())


def _read_estimates(arm: Errors, control: Errors, shared: float) -> Callable[[float], TwoWayEstimate | None]:
    """The estimate of arm - r control as a function of r, as `estimate_difference` gives it.

    Its mean squares are quadratic in r, so three tables tell those of all.
    """
    tables, rounding = _stack_tables(arm, control), max(arm.rounding, control.rounding)
    if tables is None:
        return lambda ratio: _add_shared(
            estimate_difference(arm.by_seed - ratio * control.by_seed, None, rounding=rounding), arm, shared
        )
    squares = np.array([compute_mean_squares(tables[0] - ratio * tables[1]) for ratio in _RATIOS])
    coefficients = np.linalg.solve(np.vander(_RATIOS, increasing=True), squares)
    means = tables.mean((1, 2))

    def estimate(ratio: float) -> TwoWayEstimate | None:
        a, b, e = np.maximum(np.array([1.0, ratio, ratio**2]) @ coefficients, 0.0)
        mean = float(means[0] - ratio * means[1])
        found = estimate_from_squares(mean, (float(a), float(b), float(e)), tables.shape[1:])
        return _add_shared(found, arm, shared)

    return estimate


def _add_shared(estimate: TwoWayEstimate | None, arm: Errors, shared: float) -> TwoWayEstimate | None:
    return None if estimate is None else estimate.add_shared_part(len(arm.by_seed), shared)


def _stack_tables(arm: Errors, control: Errors) -> np.ndarray | None:
    """Both by example, or by group of examples, [2, S, N]; None where `estimate_difference` is over seeds."""
    if arm.by_example is None or control.by_example is None:
        return None
    tables = [arm.by_example, control.by_example]
    if arm.groups is not None:
        tables = [sum_groups(table, arm.groups) for table in tables]
    return np.stack(tables) if tables[0].shape[1] > 1 else None
