"""Runs that tuning decides on are known when it has ended; until then their number alone is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from headstart.config.runs import Run, expand_runs
from headstart.config.study import Study
from headstart.planning.tuning import describe_changed_choices, find_needed_runs, list_runs_to_come
from headstart.records import RunRecord
from studies import make_record, make_study

LOW, HIGH = 1e-5, 1e-4
GRID: dict[str, Any] = {"learning_rate": [LOW, HIGH]}


def tuned(**changes: Any) -> Study:
    return make_study(**({"seeds": 3, "tune": GRID} | changes))


def tuning(
    valid: Mapping[float, Sequence[float | None]], arm: str = "pretrained", size: Any = "all"
) -> list[RunRecord]:
    """Runs that choose, by rate and seed; None for one that failed."""
    return [
        make_record(
            arm,
            1000 + i,
            value,
            size=size,
            hyperparameters={"learning_rate": rate},
            for_tuning=True,
            test=None,
        )
        for rate, values in valid.items()
        for i, value in enumerate(values)
    ]


def judged(rate: float, seeds: Sequence[int], arm: str = "pretrained") -> list[RunRecord]:
    return [make_record(arm, seed, 0.5, hyperparameters={"learning_rate": rate}) for seed in seeds]


def keys(runs: Sequence[Run]) -> list[str]:
    return [run.key for run in runs]


def judged_keys(runs: Sequence[Run]) -> list[str]:
    return [run.key for run in runs if not run.for_tuning]


def test_nothing_is_judged_before_tuning_has_ended() -> None:
    records = tuning({LOW: (0.5, 0.6), HIGH: (0.7,)})
    assert judged_keys(find_needed_runs(tuned(), records)) == []
    to_come = list_runs_to_come(tuned(), records)
    assert [(run.arm, run.seed) for run in to_come] == [
        (arm, seed) for seed in (0, 1, 2) for arm in ("pretrained", "random")
    ]


def test_each_arm_and_size_goes_on_by_itself() -> None:
    study = tuned(sizes=[4, 8], seeds=1)
    records = tuning({LOW: (0.5, 0.6), HIGH: (0.7, 0.7)}, "random", 8)
    assert judged_keys(find_needed_runs(study, records)) == ["random/8/0/learning_rate=0.0001"]
    assert [(run.arm, run.size) for run in list_runs_to_come(study, records)] == [
        ("pretrained", 4),
        ("random", 4),
        ("pretrained", 8),
    ]


def test_a_failed_tuning_run_is_on_record_and_its_point_is_not_chosen() -> None:
    records = tuning({LOW: (0.5, 0.6), HIGH: (0.9, None)})
    assert judged_keys(find_needed_runs(tuned(seeds=1), records)) == ["pretrained/all/0/learning_rate=1e-05"]


def test_where_every_tuning_run_failed_nothing_is_judged() -> None:
    records = tuning({LOW: (None, None), HIGH: (None, None)})
    assert judged_keys(find_needed_runs(tuned(seeds=1), records)) == []


@pytest.mark.parametrize("seed", range(5))
def test_neither_judged_runs_nor_the_test_choose(seed: int) -> None:
    """Whatever judged runs scored, and however many there are, the runs needed stay the same."""
    draws = np.random.default_rng(seed)
    records = tuning({LOW: (0.5, 0.6), HIGH: (0.7, 0.3)})
    others = [
        make_record("pretrained", i, float(draws.random()), hyperparameters={"learning_rate": float(rate)})
        for i, rate in enumerate(draws.choice([LOW, HIGH], size=seed))
    ]
    assert find_needed_runs(tuned(), [*records, *others]) == find_needed_runs(tuned(), records)


def test_other_tuning_seeds_may_choose_otherwise() -> None:
    study = tuned(tune=GRID | {"seeds": [1000]}, seeds=1)
    records = tuning({LOW: (0.5, 0.9), HIGH: (0.6, 0.1)})
    assert judged_keys(find_needed_runs(study, records)) == ["pretrained/all/0/learning_rate=0.0001"]
    grown = tuned(tune=GRID | {"seeds": [1000, 1001]}, seeds=1)
    assert judged_keys(find_needed_runs(grown, records)) == ["pretrained/all/0/learning_rate=1e-05"]


def test_added_seeds_need_no_tuning_run_more() -> None:
    records = tuning({LOW: (0.5, 0.6), HIGH: (0.7, 0.7)}) + judged(HIGH, (0, 1, 2))
    before, after = (find_needed_runs(tuned(seeds=n), records) for n in (3, 5))
    added = set(keys(after)) - set(keys(before))
    assert added == {f"pretrained/all/{seed}/learning_rate=0.0001" for seed in (3, 4)}


def test_a_study_whose_own_seeds_choose_has_nothing_to_come() -> None:
    for study in (tuned(tune=GRID | {"seeds": "shared"}), tuned(tune=None)):
        assert find_needed_runs(study, ()) == expand_runs(study)
        assert list_runs_to_come(study, ()) == ()


def test_a_choice_that_has_changed_is_said() -> None:
    records = tuning({LOW: (0.5, 0.6), HIGH: (0.7, 0.7)})
    assert list(describe_changed_choices(tuned(), [*records, *judged(HIGH, (0, 1, 2))])) == []
    (sentence,) = describe_changed_choices(tuned(), [*records, *judged(LOW, (0, 1, 2))])
    assert sentence == (
        "pretrained: tuning chooses learning_rate 0.0001 now, but 3 runs were trained at "
        "learning_rate 1e-05: they no longer count, and are redone at the new point"
    )
    again = [*records, *judged(LOW, (0, 1, 2)), *judged(HIGH, (0, 1, 2))]
    assert list(describe_changed_choices(tuned(), again)) == [], "it has been said when they were made again"
