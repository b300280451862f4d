"""Which arms may be the best of several: those that no other beats, by contrasts of all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from headstart.analysis.scores import ArmScores, Cell
from headstart.config.metrics import MetricInfo
from headstart.errors import HeadstartError
from headstart.records import Contrast, SummaryRow, TierRow

#: Arms of which each two are compared: twice as many take four times the time and the memory.
MOST_RANKED: Final = 500


def list_pairs(scores: Sequence[ArmScores]) -> list[tuple[Cell, Cell]]:
    """Each two arms once.

    Raises:
        HeadstartError: there are too many.
    """
    if len(scores) > MOST_RANKED:
        count = len(scores) * (len(scores) - 1) // 2
        raise HeadstartError(
            f"{len(scores):,} arms, {count:,} pairs of them",
            where="the arms",
            expected=f"{MOST_RANKED} arms at most where each two are compared",
            fix="compare all with one: --control NAME",
        )
    return [(first.cell, second.cell) for first, second in combinations(scores, 2)]


def find_tiers(
    summary: Sequence[SummaryRow], contrasts: Sequence[Contrast], metric: MetricInfo
) -> tuple[TierRow, ...]:
    """A row for each arm, the best mean first: whether it may be the best, and which arms beat it.

    A subset that holds the best with a given chance is Gupta's (1965, "On some multiple decision (selection
    and ranking) rules"). Here it is made of simultaneous intervals of all pairs (Bonferroni), so that besides
    the best being left out in at most 5% of cases, all of "A beats B" hold at once as well; Hsu's comparisons
    with the best (1984, "Constrained simultaneous confidence intervals for multiple comparisons with the
    best") are sharper for the first and do not promise the second.

    Args:
        contrasts: of all pairs.
    """
    wins = {_order_pair(row) for row in contrasts if row.verdict in ("better", "worse")}
    sign = 1.0 if metric.lower_is_better else -1.0
    ordered = sorted(summary, key=lambda row: sign * row.mean)
    return tuple(
        TierRow(
            arm=row.arm,
            metric=row.metric,
            mean=row.mean,
            may_be_best=all(loser != row.arm for _, loser in wins),
            beaten_by=tuple(other.arm for other in ordered if (other.arm, row.arm) in wins),
        )
        for row in ordered
    )


def _order_pair(row: Contrast) -> tuple[str, str]:
    """Who wins and who loses."""
    return (row.arm, row.control) if row.verdict == "better" else (row.control, row.arm)
