"""Arms ranked among themselves: who is a candidate, what runs took, and which arms are within the margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from scipy import stats

from headstart.analysis.judging import Judging
from headstart.analysis.ranking import Ranking, find_cheapest, mark_ranking, rank_arms
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.records import ArmCost, Execution, OutcomeRow, Parameters, RunRecord
from studies import ByArm, findings_of

NOISE = (0.0, 0.01, 0.02, 0.015, 0.005)
MEANS = {"full": 0.85, "lora": 0.848, "probe": 0.7, "random": 0.5}


def scores(means: Mapping[str, float], size: Size = "all", n_seeds: int = 5) -> list[ArmScores]:
    return [
        ArmScores(arm, size, None, {s: mean + NOISE[(s + i) % 5] for s in range(n_seeds)})
        for i, (arm, mean) in enumerate(means.items())
    ]


def rank(
    means: Mapping[str, float] = MEANS, metric: str = "accuracy", margin: float | None = None, **options: Any
) -> Ranking | None:
    judging = Judging(describe_metric(metric), margin)
    return rank_arms(scores(means), judging, **{"left_out": "random"} | options)


def ranked(**options: Any) -> Ranking:
    found = rank(**options)
    assert found is not None
    return found


def record(arm: str, seed: int, seconds: float, *, together: int = 1, trained: int = 10) -> RunRecord:
    return RunRecord(
        arm=arm,
        size="all",
        seed=seed,
        status="done",
        train_examples=9,
        parameters=Parameters(total=100, trainable=trained),
        seconds=seconds,
        peak_memory_bytes=1000 + seed,
        execution=Execution(device="cpu", precision="fp32", threads=1, workers=1, pack_size=together),
    )


def cost(arm: str, parameters: int | None, seconds: float) -> ArmCost:
    return ArmCost(arm=arm, n_runs=1, parameters=parameters, seconds=seconds, memory_bytes=None)


def test_all_pairs_of_candidates_are_compared_and_the_random_control_is_none() -> None:
    found = ranked()
    assert found.left_out == "random"
    assert [(row.arm, row.tier) for row in found.tiers] == [("full", 1), ("lora", 1), ("probe", 2)]
    assert {row.n_tests for row in found.pairs} == {len(found.pairs)} == {3}
    assert found.within_margin is None


def test_within_the_margin_is_who_is_worse_than_none_by_it_at_the_level_of_all_pairs() -> None:
    """scipy's t interval at 1 - 0.05 / 3 is the oracle for the most that one may be worse by."""
    by_arm = {one.arm: [one.by_seed[s] for s in range(5)] for one in scores(MEANS)}
    gaps = [full - lora for full, lora in zip(by_arm["full"], by_arm["lora"], strict=True)]
    interval = stats.ttest_1samp(gaps, 0).confidence_interval(1 - 0.05 / 3)
    worst_of_lora, worst_of_full = 100 * interval.high, -100 * interval.low
    assert worst_of_lora > worst_of_full
    just_enough, too_little = worst_of_lora + 1e-6, worst_of_lora - 1e-6
    assert ranked(margin=just_enough).within_margin == ("full", "lora")
    assert ranked(margin=too_little).within_margin == ("full",)
    assert ranked(margin=worst_of_full - 1e-6).within_margin == ()


def test_a_gap_is_that_pairs_interval_either_way_round() -> None:
    found = ranked()
    (pair,) = [row for row in found.pairs if {row.arm, row.control} == {"full", "lora"}]
    ends = (pair.family_low, pair.family_high)
    assert found.find_gap(pair.arm, pair.control) == ends
    low, high = found.find_gap(pair.control, pair.arm) or (0.0, 0.0)
    assert (-high, -low) == ends
    assert found.find_gap("full", "random") is None


def test_a_margin_does_not_change_the_tiers() -> None:
    assert ranked(margin=40.0).tiers == ranked().tiers
    assert [row.tier for row in ranked(margin=40.0).tiers] == [1, 1, 2]


def test_of_a_loss_lower_is_better() -> None:
    found = ranked(
        means={"full": 0.85, "lora": 0.848, "probe": 0.7, "random": 5.0}, metric="loss", margin=0.05
    )
    assert found.tiers[0].arm == "probe"
    assert found.within_margin == ("probe",)


def test_two_arms_or_one_seed_or_one_candidate_have_no_ranking() -> None:
    assert rank({"full": 0.8, "random": 0.5}) is None
    judging = Judging(describe_metric("accuracy"))
    assert rank_arms(scores(MEANS, n_seeds=1), judging, left_out=None) is None
    assert rank({f"arm{i}": 0.5 for i in range(31)}) is None


def test_the_largest_size_is_ranked() -> None:
    judging = Judging(describe_metric("accuracy"))
    both = [*scores(MEANS, 200), *scores({"full": 0.6, "lora": 0.6, "random": 0.5}, 50)]
    found = rank_arms(both, judging, left_out=None)
    assert found is not None
    assert (found.size, len(found.tiers)) == (200, 4)


def test_costs_are_of_one_run() -> None:
    runs = [record("lora", 0, 12.0, together=4), record("lora", 1, 20.0, together=4), record("full", 0, 9.0)]
    found = ranked(runs=runs, margin=50.0)
    assert found.costs["lora"] == ArmCost(
        arm="lora", n_runs=2, parameters=10, seconds=4.0, memory_bytes=1001, together=4
    )
    assert "probe" not in found.costs
    assert [one.arm for one in found.cheapest] == ["lora"]
    assert found.to_dict()["cheapest"] == ["lora"]


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([cost("full", 100, 9.0), cost("lora", 5, 9.5)], ["lora"]),
        ([cost("full", 100, 9.0), cost("lora", 5, 12.0)], ["lora", "full"]),
        ([cost("full", 100, 9.0), cost("asked", None, 1.0)], ["full", "asked"]),
        ([], []),
    ],
    ids=["as fast", "slower", "not counted", "none"],
)
def test_the_cheapest_trains_the_fewest_and_a_faster_one_is_named_too(
    costs: list[ArmCost], expected: list[str]
) -> None:
    assert [one.arm for one in find_cheapest(costs)] == expected


def test_run_and_compare_rank_alike() -> None:
    by_arm: ByArm = {"full": (0.8, 0.82, 0.81), "lora": (0.79, 0.82, 0.8), "random": (0.6, 0.61, 0.6)}
    found = findings_of(by_arm)
    assert found.ranking is not None
    assert found.to_dict()["ranking"]["left_out"] == "random"
    assert [row["arm"] for row in found.to_dict()["ranking"]["tiers"]] == ["full", "lora"]


def test_a_control_left_out_whose_mean_is_better_is_noted() -> None:
    assert not ranked().left_out_is_better
    better = ranked(means={"full": 0.6, "lora": 0.598, "random": 0.9})
    assert (better.left_out, better.left_out_is_better) == ("random", True)
    # The same figures, of which less is better.
    assert not ranked(means={"full": 0.6, "lora": 0.598, "random": 0.9}, metric="loss").left_out_is_better


def test_runs_that_collapsed_are_noted_with_arms_and_pairs() -> None:
    rows = [
        OutcomeRow(arm=arm, size=size, n_runs=5, n_failed=0, n_collapsed=count)
        for arm, size, count in (("lora", "all", 2), ("full", "all", 0), ("full", 8, 5))
    ]
    found = mark_ranking(ranked(), rows)
    assert found is not None
    assert found.collapsed == ("lora",)
    assert found.to_dict()["collapsed"] == ["lora"]
    pair = next(row for row in found.pairs if {row.arm, row.control} == {"full", "lora"})
    assert {pair.n_collapsed, pair.n_control_collapsed} == {2, 0}
    assert mark_ranking(None, rows) is None


def test_no_scores_are_no_ranking() -> None:
    assert rank_arms([], Judging(describe_metric("accuracy")), left_out=None) is None
