"""The difference between two arms that share seeds; says "undecided" where the interval holds zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from headstart.stats.summary import mean_interval

Verdict = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class Difference:
    """Mean of S paired differences, its 95% interval and p value; absent where chance does not show."""

    n: int
    difference: float
    low: float | None
    high: float | None
    p: float | None
    verdict: Verdict


def paired_difference(arm: np.ndarray, control: np.ndarray, *, lower_is_better: bool = False) -> Difference:
    """Student's paired t test of `arm` against `control`, both [S], entry s from the same seed.

    The interval covers what training again with other seeds would change; the test texts are taken as
    they are. Differences that are all equal have no interval, and leave the matter undecided.
    """
    gaps = arm - control
    low, high = mean_interval(gaps)
    p = None if low is None else float(stats.ttest_rel(arm, control).pvalue)
    verdict = _verdict(low, high, lower_is_better=lower_is_better)
    return Difference(len(gaps), float(np.mean(gaps)), low, high, p, verdict)


def _verdict(low: float | None, high: float | None, *, lower_is_better: bool) -> Verdict:
    if low is None or high is None or low <= 0 <= high:
        return "undecided"
    return "better" if (low > 0) != lower_is_better else "worse"
