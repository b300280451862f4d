"""Which records are a study's, in which order, and which of them its arms are judged by."""

from __future__ import annotations

from headstart.analysis.study_runs import list_cells, order_runs
from headstart.records import StudyWarning
from studies import make_record, make_study

RATES = (1e-5, 1e-4)


def test_records_stand_in_the_studys_order() -> None:
    records = [
        make_record(arm, seed, 0.5, size=size)
        for arm in ("random", "pretrained")
        for seed in (1, 0)
        for size in (4, 2)
    ]
    runs = order_runs(make_study(seeds=2, sizes=[2, 4]), records)
    assert [r.key for r in runs.records][:4] == [
        "pretrained/2/0",
        "pretrained/2/1",
        "random/2/0",
        "random/2/1",
    ]


def test_records_of_seeds_not_asked_for_do_not_count() -> None:
    records = [make_record(arm, seed, 0.5) for arm in ("pretrained", "random") for seed in range(3)]
    assert [r.seed for r in order_runs(make_study(seeds=[1]), records).records] == [1, 1]


def test_metrics_are_those_of_runs_that_ended() -> None:
    records = [make_record("pretrained", 0, None), make_record("random", 0, 0.5)]
    runs = order_runs(make_study(seeds=1), records)
    assert runs.metrics == ("accuracy", "loss")
    assert [run.key for run in runs.failed] == ["pretrained/all/0"]
    assert order_runs(make_study(seeds=1), records[:1]).metrics == ()


def test_test_scores_are_by_seed_of_runs_that_ended() -> None:
    records = [make_record("random", seed, value) for seed, value in enumerate((0.6, None, 0.8))]
    runs = order_runs(make_study(seeds=3), records)
    assert runs.collect_test_scores("random", "all", "accuracy") == {0: 0.6, 2: 0.8}
    assert runs.collect_test_scores("pretrained", "all", "accuracy") == {}


def test_a_tuned_arm_is_judged_by_the_runs_of_its_chosen_grid_point() -> None:
    records = [
        make_record("pretrained", seed, value, hyperparameters={"learning_rate": rate})
        for rate, value in zip(RATES, (0.6, 0.7), strict=True)
        for seed in (0, 1)
    ]
    runs = order_runs(make_study(seeds=2, tune={"learning_rate": list(RATES), "seeds": "shared"}), records)
    assert [run.hyperparameters for run in runs.chosen] == [{"learning_rate": RATES[1]}] * 2
    assert runs.find_chosen_point("pretrained", "all") == {"learning_rate": RATES[1]}
    assert runs.find_chosen_point("random", "all") is None
    assert len(runs.records) == 4


def test_an_arm_that_is_not_tuned_has_the_empty_grid_point() -> None:
    assert order_runs(make_study(), ()).find_chosen_point("pretrained", "all") == {}


def test_warnings_of_the_data_come_before_those_of_grids() -> None:
    leak = StudyWarning(kind="leak", message="2 are also in train")
    records = [
        make_record("pretrained", 0, value, hyperparameters={"learning_rate": rate})
        for rate, value in zip(RATES, (0.6, 0.7), strict=True)
    ]
    runs = order_runs(
        make_study(seeds=1, tune={"learning_rate": list(RATES), "seeds": "shared"}), records, [leak]
    )
    assert [warning.kind for warning in runs.warnings] == ["leak", "chosen-by-its-judges", "grid-edge"]


def test_cells_are_arms_within_sizes() -> None:
    assert list(list_cells(make_study(sizes=[2, "all"]))) == [
        (size, arm) for size in (2, "all") for arm in ("pretrained", "random")
    ]
