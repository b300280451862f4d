"""What a difference means in use: one run against one of the control, errors against errors, prompts won."""

from __future__ import annotations

from typing import Final

import numpy as np

from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores, list_shared_seeds, pair_scores
from headstart.records import OneRun, RelativeErrors, WinRate
from headstart.stats.compared import PairedScores
from headstart.stats.groups import join_groups
from headstart.stats.relative_errors import Errors, estimate_error_ratio
from headstart.stats.superiority import estimate_superiority
from headstart.stats.win_rates import estimate_win_rate

#: The share of errors below which both arms have to be for a ratio to say more than points do.
_NEAR_CEILING: Final = 0.2


def compare_one_run(arm: ArmScores, control: ArmScores, judging: Judging) -> OneRun | None:
    """By all the runs that either has; None where a rule that looks at results added seeds."""
    if judging.is_sequential:
        return None
    mine, theirs = (np.array(list(scores.by_seed.values())) for scores in (arm, control))
    chance = estimate_superiority(mine, theirs, lower_is_better=judging.metric.lower_is_better)
    return (
        None if chance is None else OneRun(probability=chance.probability, low=chance.low, high=chance.high)
    )


def compare_errors(
    arm: ArmScores, control: ArmScores, judging: Judging, level: float
) -> RelativeErrors | None:
    """Of shares that are both near their ceiling, over the seeds that both have; None elsewhere, and as
    `compare_one_run`."""
    seeds = list_shared_seeds(arm, control)
    if not judging.metric.is_share or judging.is_sequential or len(seeds) < 2:
        return None
    pair = pair_scores((arm, control), seeds)
    mine, theirs = (_count_errors(scores, judging.metric.lower_is_better) for scores in pair)
    if max(mine.by_seed.mean(), theirs.by_seed.mean()) >= _NEAR_CEILING:
        return None
    found = estimate_error_ratio(mine, theirs, level, judging.find_shared_part(arm.size))
    if found is None:
        return None
    low = None if found.high is None else 1 - found.high
    return RelativeErrors(reduction=1 - found.ratio, low=low, high=1 - found.low)


def compare_wins(arm: ArmScores, control: ArmScores, judging: Judging) -> WinRate | None:
    """Of language models that answered the same prompts, over the seeds that both have; None elsewhere, and
    as `compare_one_run`."""
    seeds = list_shared_seeds(arm, control)
    is_known = all(seed in scores.by_prompt for scores in (arm, control) for seed in seeds)
    is_same = arm.test_digest is not None and arm.test_digest == control.test_digest
    if judging.is_sequential or not (seeds and is_known and is_same):
        return None
    mine, theirs = (np.stack([own.by_prompt[seed] for seed in seeds]) for own in (arm, control))
    found = estimate_win_rate(
        mine,
        theirs,
        join_groups((arm.groups, control.groups)),
        lower_is_better=judging.metric.lower_is_better,
        shared=judging.find_shared_part(arm.size),
    )
    return WinRate(rate=found.rate, ties=found.ties, low=found.low, high=found.high)


def _count_errors(scores: PairedScores, lower_is_better: bool) -> Errors:
    """A share of errors as it is, of others what is left to one."""
    if lower_is_better:
        return Errors(scores.by_seed, scores.by_example, scores.groups, scores.rounding)
    by_example = None if scores.by_example is None else 1 - scores.by_example
    return Errors(1 - scores.by_seed, by_example, scores.groups, scores.rounding)
