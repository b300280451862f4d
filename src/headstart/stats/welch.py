"""The difference of two arms that share no seed: Welch's t, which takes no variance to be the other's."""

from __future__ import annotations

import numpy as np

from headstart.stats.summary import add_rounding, has_variation
from headstart.stats.two_way import TwoWayEstimate


def estimate_welch(arm: np.ndarray, control: np.ndarray, rounding: float = 0.0) -> TwoWayEstimate | None:
    """The mean of `arm` [S] minus that of `control` [S'], with the error of both samples of seeds.

    Welch 1947, "The generalization of 'Student's' problem when several different population variances are
    involved": a t with the degrees of freedom (a + b)^2 / (a^2 / (S - 1) + b^2 / (S' - 1)) of the means'
    variances a and b. These are never more than S + S' - 2, so a variance that is small by luck does no more
    harm than in a pooled t.

    Args:
        rounding: the unit that scores were rounded to.

    Returns:
        None where an arm has one seed, or neither varies beyond rounding.
    """
    if min(len(arm), len(control)) < 2 or not any(has_variation(x, rounding) for x in (arm, control)):
        return None
    a, b = (add_rounding(float(np.var(x, ddof=1)), rounding) / len(x) for x in (arm, control))
    df = (a + b) ** 2 / (a**2 / (len(arm) - 1) + b**2 / (len(control) - 1))
    mean = float(arm.mean() - control.mean())
    return TwoWayEstimate(
        mean=mean,
        seeds_variance=a + b,
        examples_variance=0.0,
        seeds_df=df,
        examples_df=np.inf,
        seeds=a + b,
        examples=0.0,
        residual=0.0,
    )
