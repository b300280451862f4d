"""The difference of two very models over test examples: what a single run of each can tell."""

from __future__ import annotations

from typing import Final

import numpy as np

from headstart.stats.summary import has_variation
from headstart.stats.two_way import TwoWayEstimate, sum_groups

#: Two examples that nobody saw, one that the one got right alone and one that the other did.
_UNSEEN: Final = np.array([1.0, -1.0])


def estimate_one_run(differences: np.ndarray, groups: np.ndarray | None = None) -> TwoWayEstimate | None:
    """The mean of `differences` [N] of two models on the same examples, with the error of other examples.

    A paired t over examples, or over sums of groups (the ratio estimator's linearisation; Cochran 1977,
    "Sampling techniques", section 9A). Where both models are right or wrong, its tail is too light if they
    disagree on few examples, so one example is added that each is alone to get right: the adjusted Wald
    interval of Bonett & Price 2012, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data". It says nothing of other runs of the same methods.

    Args:
        groups: of which group each example is, [N]; by default each is its own.

    Returns:
        None without variation, or with a single example or group.
    """
    mean = float(differences.mean())
    if groups is not None:
        units = sum_groups(differences[None], groups)[0]
    elif np.isin(differences, (-1.0, 0.0, 1.0)).all():
        units = np.concatenate([differences, _UNSEEN])
    else:
        units = differences
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
