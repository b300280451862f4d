"""A tuned arm's grid point is chosen on valid, by its mean over seeds; a grid may end too soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from headstart.analysis.findings import Findings, make_findings
from headstart.analysis.grid_search import describe_choice, find_best_run
from headstart.config.study import Study
from headstart.records import GridRow, JudgedPoint, RunRecord, StudyWarning
from studies import make_record, make_study

LOW, HIGH = 1e-5, 1e-4
#: Valid accuracies by rate and seed; None for a run that failed.
Valid = Mapping[float, Sequence[float | None]]
GRID: Valid = {LOW: (0.7, 0.7), HIGH: (0.6, 0.9)}


def study(**changes: Any) -> Study:
    """Whose own two seeds choose, as they did before there were tuning seeds."""
    changed: dict[str, Any] = {"seeds": 2, "tune": {"learning_rate": [LOW, HIGH]}} | changes
    if changed["tune"]:
        changed["tune"] = {"seeds": "shared"} | changed["tune"]
    return make_study(**changed)


def record(
    rate: float,
    seed: int,
    valid: float | None,
    *,
    test: float = 0.5,
    arm: str = "pretrained",
    size: Any = "all",
) -> RunRecord:
    scores: dict[str, Any] = (
        {} if valid is None else {"valid": {"accuracy": valid}, "test": {"accuracy": test}}
    )
    return make_record(arm, seed, valid, size=size, hyperparameters={"learning_rate": rate}, **scores)


def records(valid: Valid, **more: Any) -> list[RunRecord]:
    return [
        record(rate, seed, value, **more)
        for rate, values in valid.items()
        for seed, value in enumerate(values)
    ]


def findings_of_grid(valid: Valid = GRID, *others: RunRecord, **changes: Any) -> Findings:
    """The findings of a study whose arm `pretrained` reached these valid accuracies."""
    return make_findings(study(**changes), [*records(valid), *others], ())


def chosen(findings: Findings, arm: str = "pretrained") -> list[float]:
    """The rates chosen for the arm, size by size."""
    rows = [row for row in findings.grid_rows if row.arm == arm and row.chosen]
    return [row.hyperparameters["learning_rate"] for row in rows]


def edges(findings: Findings) -> list[StudyWarning]:
    """What is said of values that end their grid."""
    return [warning for warning in findings.warnings if warning.kind == "grid-edge"]


def test_best_mean_over_seeds_is_chosen() -> None:
    assert chosen(findings_of_grid()) == [HIGH]


def test_grid_row_holds_the_figures() -> None:
    row = findings_of_grid().grid_rows[1]
    assert row.std == pytest.approx(0.2121320)
    assert row == GridRow(
        arm="pretrained",
        size="all",
        hyperparameters={"learning_rate": HIGH},
        metric="accuracy",
        n_seeds=2,
        mean=0.75,
        std=row.std,
        n_failed=0,
        chosen=True,
    )


def test_the_test_has_no_say() -> None:
    runs = [record(LOW, s, 0.8, test=0.1) for s in (0, 1)] + [record(HIGH, s, 0.7, test=0.9) for s in (0, 1)]
    findings = make_findings(study(), runs, ())
    assert chosen(findings) == [LOW]
    (row,) = (row for row in findings.summary if row.arm == "pretrained")
    assert row.n_seeds == 2
    assert row.mean == pytest.approx(0.1)


def test_loss_is_better_when_lower() -> None:
    runs = [
        r.model_copy(update={"valid": {"loss": (r.valid or {})["accuracy"]}, "test": {"loss": 1.0}})
        for r in records(GRID)
    ]
    assert chosen(make_findings(study(select={"metric": "loss"}), runs, ())) == [LOW]


def test_of_equals_the_earlier_in_the_grid_is_chosen() -> None:
    equal = {LOW: (0.5, 0.7), HIGH: (0.7, 0.5)}
    assert chosen(findings_of_grid(equal)) == [LOW]
    assert chosen(findings_of_grid(equal, tune={"learning_rate": [HIGH, LOW]})) == [HIGH]


def test_grid_point_with_a_failed_seed_is_no_candidate() -> None:
    findings = findings_of_grid({LOW: (0.6, 0.6), HIGH: (0.9, None)})
    assert chosen(findings) == [LOW]
    assert [(row.n_seeds, row.n_failed) for row in findings.grid_rows[:2]] == [(2, 0), (1, 1)]


def test_grid_point_with_a_missing_seed_is_no_candidate() -> None:
    assert chosen(findings_of_grid({LOW: (0.6, 0.6), HIGH: (0.9,)})) == [LOW]


def test_where_none_has_all_seeds_the_most_seeds_count_first() -> None:
    valid = {LOW: (0.6, 0.6, None), HIGH: (0.9, None, None)}
    assert chosen(findings_of_grid(valid, seeds=3)) == [LOW]


def test_figure_that_is_no_number_is_not_chosen() -> None:
    assert chosen(findings_of_grid({LOW: (float("nan"), 0.9), HIGH: (0.1, 0.1)})) == [HIGH]


def test_arm_of_which_every_run_failed_has_no_grid_point() -> None:
    findings = findings_of_grid({LOW: (None, None), HIGH: (None, None)})
    assert chosen(findings) == []
    assert findings.find_chosen_point("pretrained", "all") is None
    assert findings.collect_test_scores("pretrained", "all", "accuracy") == {}
    assert find_best_run(study(), findings.records, findings.grid_rows, "pretrained") is None


def test_each_arm_and_size_has_its_own_grid_point() -> None:
    best = {("pretrained", 4): LOW, ("pretrained", 8): HIGH, ("random", 4): HIGH, ("random", 8): LOW}
    runs = [
        record(rate, seed, 0.9 if rate == best_rate else 0.1, arm=arm, size=size)
        for (arm, size), best_rate in best.items()
        for rate in (LOW, HIGH)
        for seed in (0, 1)
    ]
    findings = make_findings(study(sizes=[4, 8]), runs, ())
    assert (chosen(findings, "pretrained"), chosen(findings, "random")) == ([LOW, HIGH], [HIGH, LOW])
    assert findings.find_chosen_point("pretrained", 8) == {"learning_rate": HIGH}


def test_contrast_is_between_the_chosen_grid_points() -> None:
    mine = [record(r, s, r, test=0.8 if r == HIGH else 0.1) for r in (LOW, HIGH) for s in (0, 1)]
    theirs = [
        record(r, s, -r, test=0.6 if r == LOW else 0.9, arm="random") for r in (LOW, HIGH) for s in (0, 1)
    ]
    (row,) = make_findings(study(), [*mine, *theirs], ()).contrasts
    assert row.difference == pytest.approx(0.2)


def test_every_run_is_kept_in_the_records_point_by_point() -> None:
    keys = [r.key for r in findings_of_grid().records]
    assert keys == [f"pretrained/all/{s}/learning_rate={rate:g}" for rate in (LOW, HIGH) for s in (0, 1)]


def test_grid_points_that_the_study_does_not_try_do_not_count() -> None:
    rows = findings_of_grid(GRID, record(1e-3, 0, 0.99)).grid_rows
    assert [row.n_seeds for row in rows if row.arm == "pretrained"] == [2, 2]


def test_study_without_a_grid_has_no_rows() -> None:
    findings = make_findings(study(tune=None), (), ())
    assert (findings.grid_rows, findings.warnings) == ((), ())


def test_best_run_is_of_the_chosen_grid_point_even_where_another_run_beats_it() -> None:
    findings = findings_of_grid({LOW: (0.99, 0.1), HIGH: (0.6, 0.7)})
    best = find_best_run(study(), findings.records, findings.grid_rows, "pretrained")
    assert best is not None
    assert best.key == "pretrained/all/1/learning_rate=0.0001"


def test_of_equal_runs_the_first_key_is_the_best() -> None:
    findings = findings_of_grid({LOW: (0.1, 0.1), HIGH: (0.7, 0.7)})
    best = find_best_run(study(), tuple(reversed(findings.records)), findings.grid_rows, "pretrained")
    assert best is not None
    assert best.seed == 0


def test_the_rule_names_its_metric() -> None:
    assert "mean valid macro_f1 over seeds" in describe_choice(study(select={"metric": "macro_f1"}))


@pytest.mark.parametrize(
    ("rates", "best", "edge"),
    [
        ([1e-5, 1e-4], 1e-4, "0.0001, is the largest tried; a larger one may be better still"),
        ([1e-5, 1e-4], 1e-5, "1e-05, is the smallest tried; a smaller one may be better still"),
        ([1e-4, 1e-5], 1e-4, "0.0001, is the largest tried; a larger one may be better still"),
        ([1e-5, 1e-4, 1e-3], 1e-4, None),
        ([1e-4], 1e-4, None),
    ],
)
def test_value_at_the_edge_is_told(rates: list[float], best: float, edge: str | None) -> None:
    valid = {rate: (0.9, 0.9) if rate == best else (0.1, 0.1) for rate in rates}
    warnings = edges(findings_of_grid(valid, tune={"learning_rate": rates}))
    expected = [] if edge is None else [("grid-edge", f"pretrained: the best learning_rate, {edge}")]
    assert [(warning.kind, warning.message) for warning in warnings] == expected


def test_no_weight_decay_is_no_edge() -> None:
    runs = [
        make_record("pretrained", seed, value, hyperparameters={"weight_decay": decay})
        for decay, value in ((0.0, 0.9), (0.1, 0.1))
        for seed in (0, 1)
    ]
    findings = make_findings(study(tune={"weight_decay": [0, 0.1]}), runs, ())
    assert findings.find_chosen_point("pretrained", "all") == {"weight_decay": 0.0}
    assert edges(findings) == []


def test_points_that_tie_have_no_best_at_an_edge() -> None:
    assert edges(findings_of_grid(dict.fromkeys(GRID, (0.5, 0.5)))) == []


def test_edge_names_the_size_where_there_are_several() -> None:
    (warning,) = edges(make_findings(study(sizes=[4, 8]), records(GRID, size=4), ()))
    assert warning.message.startswith("pretrained (size 4): the best learning_rate, 0.0001, is the largest")


# Which seeds choose, and which judge


def tuning(valid: Valid, arm: str = "pretrained") -> list[RunRecord]:
    """Runs that only choose, with the seeds 1000, 1001, ...; they were not tested."""
    return [
        run.model_copy(update={"seed": 1000 + run.seed, "for_tuning": True, "test": None})
        for run in records(valid, arm=arm)
    ]


def own_seeds(**changes: Any) -> Study:
    return study(**({"tune": {"learning_rate": [LOW, HIGH], "seeds": 2}} | changes))


def test_tuning_seeds_choose_and_the_others_judge() -> None:
    """The study's own seeds are better at the other rate, on valid and on test: they have no say."""
    judged = [
        record(rate, seed, valid, test=valid) for rate, valid in ((LOW, 0.9), (HIGH, 0.6)) for seed in (0, 1)
    ]
    findings = make_findings(own_seeds(), [*tuning(GRID), *judged], ())
    assert chosen(findings) == [HIGH]
    assert findings.collect_test_scores("pretrained", "all", "accuracy") == {0: 0.6, 1: 0.6}
    assert [(row.n_seeds, row.mean) for row in findings.grid_rows[:2]] == [(2, 0.7), (2, 0.75)]
    assert [warning.kind for warning in findings.warnings] == ["grid-edge"]
    assert "over tuning seeds, which are not used for evaluation" in findings.to_dict()["grid_search"]["rule"]


def test_runs_at_a_point_that_is_not_chosen_any_more_do_not_count() -> None:
    judged = [record(rate, seed, 0.5) for rate in (LOW, HIGH) for seed in (0, 1)]
    keys = [run.key for run in make_findings(own_seeds(), [*tuning(GRID), *judged], ()).records]
    assert keys == [
        *(
            f"pretrained/all/tuning-{seed}/learning_rate={rate:g}"
            for rate in (LOW, HIGH)
            for seed in (1000, 1001)
        ),
        *(f"pretrained/all/{seed}/learning_rate=0.0001" for seed in (0, 1)),
    ]


@pytest.mark.parametrize("n_seeds", [1, 2, 5])
def test_the_choice_stays_while_seeds_are_added(n_seeds: int) -> None:
    """Whatever the added seeds score."""
    draws = np.random.default_rng(n_seeds)
    judged = [record(HIGH, seed, float(draws.random()), test=0.1) for seed in range(n_seeds)]
    findings = make_findings(own_seeds(seeds=n_seeds), [*tuning(GRID), *judged], ())
    assert chosen(findings) == [HIGH]
    assert len(findings.chosen) == n_seeds


def test_of_shared_seeds_each_is_judged_at_the_point_that_the_others_choose() -> None:
    """Seed 2 is so good at the high rate that it alone makes it the choice of all three."""
    valid = {LOW: (0.7, 0.7, 0.1), HIGH: (0.6, 0.6, 0.9)}
    findings = findings_of_grid(valid, seeds=3)
    assert chosen(findings) == [HIGH]
    by_seed = {row.seed: row.hyperparameters["learning_rate"] for row in findings.judged_points}
    assert by_seed == {0: HIGH, 1: HIGH, 2: LOW}
    assert {run.seed: run.hyperparameters["learning_rate"] for run in findings.chosen} == by_seed
    search = findings.to_dict()["grid_search"]
    assert "chosen without the seed it is evaluated on" in search["rule"]
    first = JudgedPoint(arm="pretrained", size="all", seed=0, hyperparameters={"learning_rate": HIGH})
    assert search["judged_points"][0] == first.model_dump(mode="json")
    assert findings.count_judged_points("pretrained", "all") == [
        ({"learning_rate": HIGH}, 2),
        ({"learning_rate": LOW}, 1),
    ]


def test_a_failed_run_is_not_replaced_by_one_at_another_point() -> None:
    """Seed 2 fails at the rate that the others choose: its arm has no score of that seed."""
    findings = findings_of_grid({LOW: (0.7, 0.7, None), HIGH: (0.6, 0.6, 0.9)}, seeds=3)
    assert findings.collect_test_scores("pretrained", "all", "accuracy").keys() == {0, 1}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, True),
        ({"seeds": 3}, False),
        ({"tune": {"learning_rate": [LOW]}}, False),
        ({"tune": {"learning_rate": [LOW, HIGH], "seeds": [7, 8]}}, False),
        ({"tune": None}, False),
    ],
    ids=["two shared seeds", "three", "nothing to choose", "seeds of their own", "no grid"],
)
def test_figures_that_are_too_good_are_said_to_be(changes: dict[str, Any], said: bool) -> None:
    warnings = make_findings(study(**changes), (), ()).warnings
    assert [warning.message.split(":")[0] for warning in warnings] == ["pretrained, random"] * said


def test_arms_that_choose_in_other_ways_are_told_apart() -> None:
    arms = {
        "pretrained": {"tune": {"learning_rate": [LOW, HIGH]}},
        "random": {"init": "random"},
        "words": None,
    }
    rule = describe_choice(study(arms=arms, confounded=True))
    assert "pretrained: for each arm and size" in rule
    assert "random: for each arm and size" in rule
