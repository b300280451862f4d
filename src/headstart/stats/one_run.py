"""The difference of two very models over test examples: what a single run of each can tell."""

from __future__ import annotations

import numpy as np

from headstart.stats.summary import has_variation
from headstart.stats.two_way import TwoWayEstimate, sum_groups


def estimate_one_run(
    differences: np.ndarray, groups: np.ndarray | None = None, bound: float | None = None
) -> TwoWayEstimate | None:
    """The mean of `differences` [N] of two models on the same examples, with the error of other examples.

    A paired t over examples, or over sums of groups (the ratio estimator's linearisation; Cochran 1977,
    "Sampling techniques", section 9A). Where scores are bounded, its tail is too light if models differ on
    few examples, so two are added to the variance, each as far apart as can be and won by another: of right
    and wrong that is the standard error of Bonett & Price 2012, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data". It says nothing of other runs.

    Args:
        groups: of which group each example is, [N]; by default each is its own.
        bound: how far apart scores of one example can be: 1 for shares, and where both are right or wrong.

    Returns:
        None without variation, or with a single example or group.
    """
    mean = float(differences.mean())
    if bound is None and np.isin(differences, (-1.0, 0.0, 1.0)).all():
        bound = 1.0
    if bound is not None:
        differences = np.concatenate([differences, [bound, -bound]])
        groups = None if groups is None else np.append(groups, groups.max() + np.array([1, 2]))
    units = differences if groups is None else sum_groups(differences[None], groups)[0]
    if not has_variation(units):
        return None
    variance = float(np.var(units, ddof=1)) / len(units)
    return TwoWayEstimate(
        mean=mean,
        seeds_variance=0.0,
        examples_variance=variance,
        seeds_df=np.inf,
        examples_df=len(units) - 1,
        seeds=0.0,
        examples=variance,
        residual=0.0,
    )
