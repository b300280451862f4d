"""Which arms may be the best: those that no other beats, whichever way is better."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headstart.analysis.contrasts import compare_pairs
from headstart.analysis.judging import Judging
from headstart.analysis.scores import ArmScores
from headstart.analysis.tiers import MOST_RANKED, find_tiers, list_pairs
from headstart.config.metrics import describe_metric
from headstart.errors import HeadstartError
from headstart.records import TierRow

NOISE = (0.0, 0.01, 0.02, 0.015, 0.005)


def tiers(means: Mapping[str, float], metric: str) -> tuple[TierRow, ...]:
    """Of arms whose five seeds differ alike around these means, each arm in an order of its own."""
    arms = [
        ArmScores(arm, "all", None, {s: mean + NOISE[(s + i) % 5] for s in range(5)})
        for i, (arm, mean) in enumerate(means.items())
    ]
    info = describe_metric(metric)
    compared = compare_pairs(arms, list_pairs(arms), Judging(info), 0)
    assert len(compared.contrasts) == len(arms) * (len(arms) - 1) // 2
    assert {row.n_tests for row in compared.contrasts} == {len(compared.contrasts)}
    return find_tiers(compared.summary, compared.contrasts, info)


def test_those_that_none_beats_may_be_best() -> None:
    rows = tiers({"low": 0.2, "top": 0.801, "high": 0.8}, "accuracy")
    assert [(row.arm, row.may_be_best, row.beaten_by) for row in rows] == [
        ("top", True, ()),
        ("high", True, ()),
        ("low", False, ("top", "high")),
    ]
    assert rows[0].mean == pytest.approx(0.811)


def test_of_a_loss_the_lowest_may_be_best() -> None:
    rows = tiers({"low": 0.2, "top": 0.801, "high": 0.5}, "loss")
    assert [(row.arm, row.may_be_best) for row in rows] == [("low", True), ("high", False), ("top", False)]
    assert rows[2].beaten_by == ("low", "high")


def test_tiers_and_ranks_of_arms_that_do_not_all_separate() -> None:
    rows = tiers({"low": 0.2, "top": 0.801, "high": 0.8, "lowest": 0.1}, "accuracy")
    assert [(row.arm, row.tier, row.rank_low, row.rank_high) for row in rows] == [
        ("top", 1, 1, 2),
        ("high", 1, 1, 2),
        ("low", 2, 3, 3),
        ("lowest", 3, 4, 4),
    ]


def test_of_too_many_arms_no_pairs_are_made() -> None:
    arms = [ArmScores(f"arm {i}", "all", None, {0: 0.5}) for i in range(MOST_RANKED + 1)]
    with pytest.raises(
        HeadstartError, match=r"501 arms, 125,250 pairs[\s\S]*fix: compare all arms with one: --control"
    ):
        list_pairs(arms)
    assert len(list_pairs(arms[:3])) == 3


def test_of_a_pair_that_is_decided_by_its_median_the_verdict_says_who_wins() -> None:
    arms = [
        ArmScores(arm, "all", None, dict(enumerate(values)))
        for arm, values in {"a": (0.5, 0.6, 0.7), "b": (0.4, 0.5, 0.6)}.items()
    ]
    info = describe_metric("accuracy")
    compared = compare_pairs(arms, list_pairs(arms), Judging(info), 0)
    # The mean is on the other side than the median.
    rows = [row.model_copy(update={"verdict": "better", "difference": -0.1}) for row in compared.contrasts]
    assert [(row.arm, row.beaten_by) for row in find_tiers(compared.summary, rows, info)] == [
        ("a", ()),
        ("b", ("a",)),
    ]
