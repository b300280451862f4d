"""Runs that failed and runs that collapsed are counted, by arm and size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from headstart.analysis.findings import Findings, make_findings
from headstart.analysis.outcomes import find_collapses, list_outcomes
from headstart.analysis.study_runs import order_runs
from headstart.records import OutcomeRow
from headstart.store.prediction_tables import Predictions
from studies import make_record, make_study

#: Of a hundred test examples seventy are of the first class.
Y_TRUE = np.array([0] * 70 + [1] * 30)
LEARNT = Predictions("classes", Y_TRUE, Y_TRUE, 2, "d", np.ones(100), names=("a", "b"))
DEAD = Predictions("classes", Y_TRUE, np.zeros(100, int), 2, "d", np.ones(100), names=("a", "b"))


def count(values: Sequence[float | None], arm: str = "random", *, has_labels: bool = True) -> OutcomeRow:
    """Of one arm with these accuracies: a model that collapsed for 0.7, one that learnt for others."""
    runs = order_runs(
        make_study(seeds=len(values)), [make_record(arm, seed, value) for seed, value in enumerate(values)]
    )

    def read(key: str, metric: str) -> Predictions | None:
        value = values[int(key.split("/")[-1])]
        return (DEAD if value == 0.7 else LEARNT) if has_labels else None

    (row,) = list_outcomes(runs, find_collapses(runs, read), read)
    return row


def test_runs_that_collapsed_are_counted() -> None:
    row = count((0.9, 0.7, 0.7, 0.8, 0.7, 0.7))
    assert (row.n_runs, row.n_failed, row.n_collapsed, row.majority) == (6, 0, 4, 0.7)
    theirs = stats.binomtest(4, 6).proportion_ci(method="wilson")
    assert (row.collapsed_low, row.collapsed_high) == pytest.approx((theirs.low, theirs.high))
    assert row.collapse is not None
    assert (row.collapse.answer, row.collapse.answer_share) == ("'a'", 1)


def test_none_of_one_run_is_no_promise() -> None:
    row = count((0.9,))
    assert (row.n_collapsed, row.collapse) == (0, None)
    assert row.collapsed_low == 0
    assert row.collapsed_high == pytest.approx(0.793, abs=1e-3)


def test_failed_runs_are_counted_apart() -> None:
    row = count((0.9, None, 0.7))
    assert (row.n_runs, row.n_failed, row.n_collapsed) == (3, 1, 1)


def test_an_arm_whose_every_run_failed_has_a_row() -> None:
    row = count((None, None))
    assert (row.n_runs, row.n_failed, row.n_collapsed, row.collapsed_low) == (2, 2, None, None)


def test_without_predictions_nothing_is_said_of_collapse() -> None:
    row = count((0.9, 0.7), has_labels=False)
    assert (row.n_runs, row.n_collapsed, row.majority) == (2, None, None)


def make_tuned(values: Sequence[tuple[float, int, float | None]], tuning_seeds: object) -> Findings:
    study = make_study(seeds=2, tune={"learning_rate": [1e-4, 1e-3], "seeds": tuning_seeds})
    records = [
        make_record("random", seed, value, hyperparameters={"learning_rate": rate}, for_tuning=seed > 1)
        for rate, seed, value in values
    ]
    return make_findings(study, records, ())


def test_a_tuned_arms_failures_count_at_its_chosen_grid_point() -> None:
    values = [(1e-4, 0, 0.8), (1e-4, 1, 0.9), (1e-3, 0, None), (1e-3, 1, None)]
    (row,) = make_tuned(values, "shared").outcomes
    assert (row.n_runs, row.n_failed) == (2, 0)


def test_runs_that_choose_are_no_outcomes_and_those_that_judge_are() -> None:
    values = [(1e-4, 1000, 0.8), (1e-3, 1000, None), (1e-4, 0, 0.8), (1e-4, 1, None)]
    (row,) = make_tuned(values, [1000]).outcomes
    assert (row.n_runs, row.n_failed) == (2, 1)


@pytest.mark.parametrize(("seeds", "tuning"), [((0, 1), "shared"), ((1000, 1001), [1000, 1001])])
def test_where_no_grid_point_could_be_chosen_a_seed_failed_once(
    seeds: tuple[int, int], tuning: object
) -> None:
    values = [(rate, seed, None) for rate in (1e-4, 1e-3) for seed in seeds]
    (row,) = make_tuned(values, tuning).outcomes
    assert (row.n_runs, row.n_failed) == (2, 2)


def test_findings_hold_them_by_size_and_arm() -> None:
    study = make_study(seeds=2, sizes=[2, 4])
    records = [
        make_record(arm, seed, 0.7 if (arm, size) == ("random", 2) else 0.9, size=size)
        for arm in ("pretrained", "random")
        for size in (2, 4)
        for seed in (0, 1)
    ]
    findings = make_findings(
        study, records, (), lambda key, metric: DEAD if key.startswith("random/2/") else LEARNT
    )
    assert [(row.size, row.arm, row.n_collapsed) for row in findings.outcomes] == [
        (2, "pretrained", 0),
        (2, "random", 2),
        (4, "pretrained", 0),
        (4, "random", 0),
    ]
    values = findings.to_dict()
    assert values["outcomes"][1]["majority"] == 0.7
    dead = [run["collapse"] for run in values["runs"] if (run["arm"], run["size"]) == ("random", 2)]
    assert [(run["reason"], run["answer"], run["count"]) for run in dead] == 2 * [("one answer", "'a'", 100)]
    assert sum(run["collapse"] is not None for run in values["runs"]) == 2
    assert [row["n_control_collapsed"] for row in values["contrasts"] if row["metric"] == "accuracy"] == [
        2,
        0,
    ]
    (warning,) = (one for one in values["warnings"] if one["kind"] == "collapsed")
    assert warning["message"].startswith(
        "random collapsed in 2 of 2 runs with 2 training examples (always 'a'): at learning rate 3e-5 "
        "nothing "
    )


def test_contrasts_with_a_baseline_count_runs_that_collapsed() -> None:
    """As those with the control do."""
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": {"method": "bag-of-words"}}
    values = {"pretrained": (0.7, 0.7, 0.9), "random": (0.8, 0.81, 0.8), "words": (0.9, 0.92, 0.91)}
    study = make_study(arms=arms, seeds=3, control="random")
    records = [make_record(arm, i, value) for arm, of in values.items() for i, value in enumerate(of)]

    def read(key: str, metric: str) -> Predictions:
        arm, _, seed = key.split("/")
        return DEAD if values[arm][int(seed)] == 0.7 else LEARNT

    (row,) = make_findings(study, records, (), read).baseline_contrasts
    assert (row.control, row.n_collapsed, row.n_control_collapsed) == ("words", 2, 0)
