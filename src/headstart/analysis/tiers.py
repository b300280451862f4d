"""Which arms may be the best of several: those that no other beats, by contrasts of all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence, Set
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
            expected=f"{MOST_RANKED} arms at most for comparing all pairs",
            fix="compare all arms with one: --control NAME",
        )
    return [(first.cell, second.cell) for first, second in combinations(scores, 2)]


def find_tiers(
    summary: Sequence[SummaryRow], contrasts: Sequence[Contrast], metric: MetricInfo
) -> tuple[TierRow, ...]:
    """A row for each arm, the best mean first: whether it may be the best, which arms beat it, its tier and
    the interval of its rank.

    A subset that holds the best with a given chance is Gupta's (1965, "On some multiple decision (selection
    and ranking) rules"). Here it is made of simultaneous intervals of all pairs (Bonferroni), so that besides
    the best being left out in at most 5% of cases, all of "A beats B" hold at once as well; Hsu's comparisons
    with the best (1984, "Constrained simultaneous confidence intervals for multiple comparisons with the
    best") are sharper for the first and do not promise the second. Of the same pairs are made the intervals
    of ranks, from one more than the arms that beat it to all but those that it beats: they hold at once too
    (Al Mohamad, Goeman and van Zwet 2022, "Simultaneous confidence intervals for ranks with application to
    ranking institutions"). Two arms of one tier never beat each other; of two tiers they need not.

    Args:
        contrasts: of all pairs.
    """
    wins = {_order_pair(row, metric) for row in contrasts if _is_decided(row)}
    sign = 1.0 if metric.lower_is_better else -1.0
    ordered = sorted(summary, key=lambda row: sign * row.mean)
    tier_of: dict[str, int] = {}
    for row in ordered:
        # One that beats it in spite of a worse mean, of other seeds, comes later and has no tier yet.
        tier_of[row.arm] = 1 + max(
            (tier_of.get(one, 0) for one, loser in wins if loser == row.arm), default=0
        )
    return tuple(_make_row(row, [other.arm for other in ordered], wins, tier_of[row.arm]) for row in ordered)


def _make_row(row: SummaryRow, ordered: Sequence[str], wins: Set[tuple[str, str]], tier: int) -> TierRow:
    beaten_by = tuple(other for other in ordered if (other, row.arm) in wins)
    n_beaten = sum((row.arm, other) in wins for other in ordered)
    return TierRow(
        arm=row.arm,
        metric=row.metric,
        mean=row.mean,
        may_be_best=not beaten_by,
        beaten_by=beaten_by,
        tier=tier,
        rank_low=1 + len(beaten_by),
        rank_high=len(ordered) - n_beaten,
    )


def _is_decided(row: Contrast) -> bool:
    """Whether one is better, be it by less than a margin."""
    low, high = row.family_low, row.family_high
    is_clear = low is not None and high is not None and not low <= 0 <= high
    return row.verdict in ("better", "worse") or (row.verdict == "no difference" and is_clear)


def _order_pair(row: Contrast, metric: MetricInfo) -> tuple[str, str]:
    """Who wins and who loses, of a pair that is decided."""
    if row.verdict in ("better", "worse"):  # by signs it is of the median, whose side the mean need not be on
        is_better = row.verdict == "better"
    else:
        is_better = (row.difference > 0) != metric.lower_is_better
    return (row.arm, row.control) if is_better else (row.control, row.arm)
