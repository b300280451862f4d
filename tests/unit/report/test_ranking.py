"""Which arm to take, in words: tiers, the cheapest within the margin, and how to ask for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headstart.analysis.ranking import Ranking
from headstart.config.metrics import describe_metric
from headstart.records import ArmCost, TierRow
from headstart.report.ranking import (
    describe_ranking_table,
    explain_ranking,
    make_ranking_table,
    suggest_compare,
)


def row(arm: str, mean: float, tier: int, *beaten_by: str) -> TierRow:
    return TierRow(
        arm=arm,
        metric="accuracy",
        mean=mean,
        may_be_best=tier == 1,
        beaten_by=beaten_by,
        tier=tier,
        rank_low=1 + len(beaten_by),
        rank_high=3 if beaten_by else 2,
    )


def cost(arm: str, parameters: int, seconds: float, together: int = 1) -> ArmCost:
    return ArmCost(
        arm=arm, n_runs=3, parameters=parameters, seconds=seconds, memory_bytes=2**30, together=together
    )


COSTS = {
    "full": cost("full", 22_000_000, 40.0),
    "lora": cost("lora", 300_000, 30.0, together=4),
    "probe": cost("probe", 1_000, 2.0),
}
RANKING = Ranking(
    metric=describe_metric("accuracy"),
    size="all",
    tiers=(row("full", 0.85, 1), row("lora", 0.845, 1), row("probe", 0.7, 2, "full", "lora")),
    pairs=(),
    costs=COSTS,
)


def said(**changes: Any) -> list[str]:
    return list(explain_ranking(replace(RANKING, **changes)))


def test_the_table_holds_tiers_ranks_and_costs() -> None:
    assert make_ranking_table(RANKING) == [
        ["ranking", "tier", "rank (95%)", "accuracy", "trained parameters", "time per run", "memory"],
        ["full", "1", "1 to 2", "85.0", "22,000,000", "40 s", "1.00 GiB"],
        ["lora", "1", "1 to 2", "84.5", "300,000", "30 s", "1.00 GiB for 4"],
        ["probe", "2", "3", "70.0", "1,000", "2.0 s", "1.00 GiB"],
    ]
    assert make_ranking_table(replace(RANKING, costs={}))[1] == ["full", "1", "1 to 2", "85.0"]
    assert make_ranking_table(None) == []


def test_energy_is_the_last_column_where_an_arm_has_it() -> None:
    metered = {"full": COSTS["full"].model_copy(update={"joules": 5400.0}), "lora": COSTS["lora"]}
    table = make_ranking_table(replace(RANKING, costs=metered))
    assert [cells[-1] for cells in table] == ["energy per run", "1.5 Wh", "-", "-"]
    assert {len(cells) for cells in table} == {8}


def test_without_a_margin_it_is_said_how_to_ask() -> None:
    tiers, margin = said()
    assert tiers.startswith("Best first, tier 1: full and lora; tier 2: probe (95%, ")
    assert (
        margin
        == "Set margin: 1 (point) to ask whether lora, the cheapest of tier 1, is close enough to full."
    )


def test_the_cheapest_within_the_margin_is_named_with_what_it_took() -> None:
    _, cheapest = said(margin=1.0, within_margin=("full", "lora"))
    assert cheapest == (
        "Cheapest within 1 point of the best: lora (300,000 trained parameters, 30 s per run, 1.00 GiB for 4 "
        "at once); the best mean, full (22,000,000 trained parameters, 40 s per run, 1.00 GiB)."
    )


def test_a_faster_arm_is_named_beside_the_smaller_one() -> None:
    costs = COSTS | {"lora": cost("lora", 300_000, 50.0)}
    _, both = said(margin=2.0, within_margin=("full", "lora"), costs=costs)
    assert both.startswith("Fewest trained parameters within 2 points of the best: lora (300,000 trained")
    assert "; the fastest is full (22,000,000" in both


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ((), "Margin 1 point: no arm is shown to be close enough to the best; more seeds may show it."),
        (("full",), "Only full is shown to be within 1 point of the best (22,000,000"),
    ],
)
def test_what_is_not_shown_is_not_claimed(within: tuple[str, ...], expected: str) -> None:
    assert said(margin=1.0, within_margin=within)[1].startswith(expected)


def test_one_tier_is_said_to_be_one() -> None:
    assert said(tiers=RANKING.tiers[:2])[0].startswith(
        "All in one tier, no pair told apart: full and lora (95%, "
    )
    level = (row("a", 0.5, 1), row("b", 0.5, 1), row("c", 0.5, 1))
    (sentence,) = said(tiers=level, costs={})
    assert sentence.startswith("All in one tier, no pair told apart: a, b and c (95%, ")


def test_the_best_that_is_not_the_control_is_to_be_compared_with() -> None:
    assert suggest_compare(RANKING, "full", Path("runs/x")) == [
        ("all vs lora", "headstart compare runs/x --control lora")
    ]
    assert suggest_compare(None, "full", Path("runs/x")) == []


def test_arms_that_collapsed_are_marked_and_named_so() -> None:
    tiers, cheapest = said(margin=20.0, within_margin=("full", "lora", "probe"), collapsed=("probe",))
    assert "tier 2: probe (collapsed) (95%" in tiers
    assert cheapest.startswith("Cheapest within 20 points of the best: probe (collapsed) (1,000 ")
    assert make_ranking_table(replace(RANKING, collapsed=("probe",)))[3][3] == "70.0†"


def test_a_control_that_is_not_ranked_is_named_and_that_its_mean_is_better() -> None:
    assert "not ranked" not in said()[0]
    worse, better = (
        replace(RANKING, left_out="random", left_out_is_better=is_better) for is_better in (False, True)
    )
    assert describe_ranking_table(worse).endswith("; random, the control, is not ranked.")
    assert next(iter(explain_ranking(worse))).endswith("at once).")
    assert next(iter(explain_ranking(better))).endswith(
        "; random, the control, is not ranked, although its mean is better."
    )
