"""What a difference means in use: one run against one of the control, and errors against the control's."""

from __future__ import annotations

from typing import Final

import numpy as np

from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import SHARES
from headstart.records import OneRun, RelativeErrors
from headstart.stats.paired_comparison import PairedScores
from headstart.stats.relative_errors import Errors, estimate_error_ratio
from headstart.stats.superiority import estimate_superiority

#: The share above which both arms have to be for errors to say more than points do.
_NEAR_CEILING: Final = 0.8


def compare_one_run(arm: ArmScores, control: ArmScores, judging: Judging) -> OneRun | None:
    """By all the runs that either has; None where a rule that looks at results added seeds."""
    if judging.is_sequential:
        return None
    mine, theirs = (np.array(list(scores.by_seed.values())) for scores in (arm, control))
    chance = estimate_superiority(mine, theirs, lower_is_better=judging.lower_is_better)
    return (
        None if chance is None else OneRun(probability=chance.probability, low=chance.low, high=chance.high)
    )


def compare_errors(
    arm: PairedScores, control: PairedScores, judging: Judging, level: float
) -> RelativeErrors | None:
    """Of shares that are both near their ceiling; None elsewhere, and as `compare_one_run`."""
    is_high = min(arm.by_seed.mean(), control.by_seed.mean()) > _NEAR_CEILING
    if judging.metric not in SHARES or not is_high or judging.is_sequential:
        return None
    found = estimate_error_ratio(_count_errors(arm), _count_errors(control), level)
    if found is None:
        return None
    low = None if found.high is None else 1 - found.high
    return RelativeErrors(reduction=1 - found.ratio, low=low, high=1 - found.low)


def _count_errors(scores: PairedScores) -> Errors:
    by_example = None if scores.by_example is None else 1 - scores.by_example
    return Errors(1 - scores.by_seed, by_example, scores.groups)
