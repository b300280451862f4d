"""The verdict that an interval of arm minus control allows."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["better", "worse", "no difference", "not worse", "undecided"]


def judge(
    low: float | None, high: float | None, *, lower_is_better: bool = False, margin: float | None = None
) -> Verdict:
    """The verdict that an interval of arm minus control allows; every verdict of a family holds at once
    where the family's intervals do.

    better, worse: zero is outside. no difference: all of it lies within `margin` of zero (equivalence).
    not worse: it says nothing of these, and no end of it is worse by as much as `margin` (non-inferiority).
    Else undecided, which does not mean equal.
    """
    if low is None or high is None:
        return "undecided"
    worst, best = (-high, -low) if lower_is_better else (low, high)
    if margin is not None and -margin < worst and best < margin:
        return "no difference"
    if worst > 0:
        return "better"
    if best < 0:
        return "worse"
    return "not worse" if margin is not None and worst > -margin else "undecided"
