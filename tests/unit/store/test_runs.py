"""A study's folder: what may go into it, when a run counts as done, and which model is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.errors import OutputError
from headstart.records import RunRecord
from headstart.store.runs import RunStore, missing


def study(out: Path, **changes: Any) -> Study:
    return Study.model_validate({"data": {"path": "/a.csv"}, "model": "m", "out": str(out)} | changes)


def record(
    seed: int = 0, *, status: str = "done", valid: float | None = 0.5, arm: str = "a", **more: Any
) -> RunRecord:
    scores = None if valid is None else {"accuracy": valid}
    return RunRecord.model_validate(
        {
            "arm": arm,
            "size": "all",
            "seed": seed,
            "status": status,
            "train_examples": 8,
            "valid": scores,
            "test": scores,
            **more,
        }
    )


def opened(out: Path, **changes: Any) -> RunStore:
    store = RunStore(out)
    store.open(study(out, **changes))
    return store


def test_new_folder_gets_the_study(tmp_path: Path) -> None:
    store = opened(tmp_path / "out", seeds=2)
    assert load_study(store.study_file) == study(tmp_path / "out", seeds=2)


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert opened(tmp_path / "out").study_file.is_file()


def test_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(OutputError, match="holds something else than a study"):
        RunStore(tmp_path).check(study(tmp_path))


def test_check_writes_nothing(tmp_path: Path) -> None:
    RunStore(tmp_path / "out").check(study(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 5},
        {"seeds": [0, 1, 2, 9]},
        {"sizes": [10, "all"]},
        {"question": "Another?"},
        {"workers": 2},
        {"vocabulary": "full"},
        {"arms": {"pretrained": {}, "random": {"init": "random"}, "more": {"init": "org/x"}}},
    ],
)
def test_study_may_grow(tmp_path: Path, changes: dict[str, Any]) -> None:
    store = opened(tmp_path / "out")
    store.check(study(tmp_path / "out", **changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": [1, 2]}, "seeds held [0], and does no more"),
        ({"model": "n"}, "model was m, is n"),
        ({"data": {"path": "/b.csv"}}, "data.path was /a.csv, is /b.csv"),
        ({"select": {"metric": "mcc"}}, "select.metric was None, is mcc"),
        ({"curves": ["valid", "test"]}, "curves was ['valid'], is ['valid', 'test']"),
    ],
)
def test_other_study_is_refused_with_what_differs(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    store = opened(tmp_path / "out")
    with pytest.raises(OutputError) as caught:
        store.check(study(tmp_path / "out", **changes))
    assert caught.value.got.endswith(f"what differs: {told}")


def test_everything_that_differs_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path / "out")
    with pytest.raises(OutputError, match=r"model was m, is n; arms\.pretrained\.epochs was 3, is 4; "):
        store.check(study(tmp_path / "out", model="n", training={"epochs": 4}))


def test_folder_may_be_moved(tmp_path: Path) -> None:
    opened(tmp_path / "out").out.rename(tmp_path / "moved")
    RunStore(tmp_path / "moved").check(study(tmp_path / "moved"))


def test_study_that_cannot_be_read_again_is_told(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("seeds: [", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be read again"):
        RunStore(tmp_path).check(study(tmp_path))


def test_start_gives_an_empty_folder(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    (store.start("a/all/0") / "left.bin").write_bytes(b"x")
    store.curves_folder("a/all/0").mkdir(parents=True)
    assert list(store.start("a/all/0").iterdir()) == []
    assert not store.curves_folder("a/all/0").exists()


def test_record_is_read_back(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(record(3))
    assert list(store.records()) == [record(3)]


def test_done_are_the_completed_runs_only(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(record(0))
    store.write(record(1, status="failed", valid=None))
    assert list(store.done()) == ["a/all/0"]
    assert missing(["a/all/2", "a/all/0", "a/all/1"], store.done()) == ["a/all/2", "a/all/1"]


def test_unreadable_record_is_named(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(record(0))
    file = tmp_path / "runs/a/all/0/record.json"
    file.write_text(file.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(OutputError) as caught:
        store.done()
    assert (caught.value.where, caught.value.fix) == (str(file), "delete it; its run is redone")


def promoted(store: RunStore, seed: int, valid: float, **changes: Any) -> bool:
    """Whether the model of this run became its arm's best."""
    model = store.run_folder(f"a/all/{seed}") / "model"
    model.mkdir(parents=True)
    (model / "weights").write_text(str(seed))
    return store.promote(
        record(seed, valid=valid), study(store.out, arms={"a": {}}, **changes), lambda _: "card"
    )


def test_best_model_is_kept(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert [promoted(store, seed, valid) for seed, valid in enumerate((0.5, 0.4, 0.7))] == [True, False, True]
    assert (tmp_path / "models/a/weights").read_text() == "2"
    assert (tmp_path / "models/a/README.md").read_text() == "card"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["a"]


def test_losers_are_removed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for seed, valid in enumerate((0.5, 0.4)):
        promoted(store, seed, valid)
    assert list(tmp_path.glob("runs/*/*/*/model")) == []


def test_tie_keeps_the_earlier_model(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert [promoted(store, seed, 0.5) for seed in (0, 1)] == [True, False]


def test_record_without_a_model_promotes_nothing(tmp_path: Path) -> None:
    assert not RunStore(tmp_path).promote(record(), study(tmp_path), lambda _: "card")


def test_json_is_written_for_people_too(tmp_path: Path) -> None:
    path = RunStore(tmp_path).write_json("facts.json", {"question": "Où ?"})
    assert path.read_text(encoding="utf-8") == '{\n "question": "Où ?"\n}\n'


# Grids

RATES = {"learning_rate": [1e-5, 1e-4]}
LOW, HIGH = {"learning_rate": 1e-5}, {"learning_rate": 1e-4}


@pytest.mark.parametrize(
    "changes",
    [
        {"tune": {"learning_rate": [1e-3, 1e-4, 1e-5]}},
        {"training": {"learning_rate": 0.5}},
        {"seeds": 5},
        {"tune": None, "arms": {"pretrained": {"tune": RATES}, "random": {"init": "random", "tune": RATES}}},
    ],
)
def test_grid_may_grow(tmp_path: Path, changes: dict[str, Any]) -> None:
    opened(tmp_path / "out", tune=RATES).check(study(tmp_path / "out", **{"tune": RATES} | changes))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (RATES, {"learning_rate": [1e-5]}, ".tune.learning_rate held [0.0001], and does no more"),
        (None, RATES, ".learning_rate was 3e-05, is tuned"),
        (RATES, None, ".learning_rate was tuned, is 3e-05"),
        (RATES, RATES | {"weight_decay": [0.01]}, ".weight_decay was 0.01, is tuned"),
    ],
)
def test_another_grid_is_another_study(tmp_path: Path, before: Any, after: Any, told: str) -> None:
    store = opened(tmp_path / "out", tune=before)
    with pytest.raises(OutputError) as caught:
        store.check(study(tmp_path / "out", tune=after))
    differs = caught.value.got.partition("what differs: ")[2]
    assert differs == "; ".join(f"arms.{arm}{told}" for arm in ("pretrained", "random"))


def test_records_lie_at_both_depths(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for one in (record(0), record(0, arm="b", hyperparameters=LOW), record(1, arm="b", hyperparameters=HIGH)):
        store.write(one)
    assert list(store.done()) == [
        "a/all/0",
        "b/all/0/learning_rate=1e-05",
        "b/all/1/learning_rate=0.0001",
    ]


def ended(store: RunStore, seed: int, setting: dict[str, float], valid: float) -> RunRecord:
    """A run of the tuned arm `a` that ended, its model in its folder, and was put up for promotion."""
    made = record(seed, valid=valid, hyperparameters=setting)
    model = store.run_folder(made.key) / "model"
    model.mkdir(parents=True)
    (model / "weights").write_text(made.key)
    store.write(made)
    store.promote(made, study(store.out, arms={"a": {}}, tune=RATES), lambda _: "card")
    return made


def models(store: RunStore) -> set[str]:
    """The keys of the runs whose models lie in their folders."""
    return {
        path.parent.relative_to(store.out / "runs").as_posix() for path in store.out.glob("runs/**/model")
    }


def test_best_model_of_each_setting_is_kept_in_its_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    runs = [
        ended(store, s, r, v) for s, r, v in ((0, LOW, 0.9), (0, HIGH, 0.2), (1, LOW, 0.8), (1, HIGH, 0.3))
    ]
    assert models(store) == {runs[0].key, runs[3].key}
    assert not (tmp_path / "models").exists()


def test_sizes_do_not_compete_in_a_tuned_arm(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    large = ended(store, 0, LOW, 0.5)
    store.settle("a", large, lambda _: "card")
    for size, valid in ((4, 0.4), (5, 0.3)):
        small = record(0, valid=valid, hyperparameters=LOW, size=size)
        (store.run_folder(small.key) / "model").mkdir(parents=True)
        assert store.promote(small, study(tmp_path, arms={"a": {}}, tune=RATES), lambda _: "card")
    assert len(models(store)) == 2


def test_promoting_again_changes_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    made = ended(store, 0, LOW, 0.5)
    assert store.promote(made, study(tmp_path, arms={"a": {}}, tune=RATES), lambda _: "card")
    assert models(store) == {made.key}


def test_settling_promotes_the_named_run_with_its_card(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    low, high = ended(store, 0, LOW, 0.9), ended(store, 0, HIGH, 0.2)
    assert store.settle("a", high, lambda r: f"card of {r.key}")
    assert (tmp_path / "models/a/weights").read_text() == high.key
    assert (tmp_path / "models/a/README.md").read_text() == f"card of {high.key}"
    assert models(store) == {low.key}


def test_settling_anew_puts_the_earlier_model_back(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    low, high = ended(store, 0, LOW, 0.9), ended(store, 0, HIGH, 0.2)
    for one in (high, low, low):
        assert store.settle("a", one, lambda _: "card")
    assert (tmp_path / "models/a/weights").read_text() == low.key
    assert models(store) == {high.key}
    assert not (store.run_folder(high.key) / "model/README.md").exists()


def test_better_run_of_the_promoted_setting_takes_its_place(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.settle("a", ended(store, 0, LOW, 0.5), lambda _: "card")
    better = ended(store, 1, LOW, 0.6)
    assert (tmp_path / "models/a/weights").read_text() == "a/all/0/learning_rate=1e-05"
    assert store.settle("a", better, lambda _: "card")
    assert (tmp_path / "models/a/weights").read_text() == better.key
    assert models(store) == set()


def test_worse_run_of_the_promoted_setting_is_removed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first = ended(store, 0, LOW, 0.5)
    store.settle("a", first, lambda _: "card")
    ended(store, 1, LOW, 0.4)
    assert models(store) == set()
    assert store.settle("a", first, lambda _: "card")


def test_model_that_is_gone_leaves_no_wrong_one(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    low, high = ended(store, 0, LOW, 0.9), ended(store, 0, HIGH, 0.2)
    store.settle("a", low, lambda _: "card")
    (store.run_folder(high.key) / "model/weights").unlink()
    (store.run_folder(high.key) / "model/headstart.json").unlink()
    (store.run_folder(high.key) / "model").rmdir()
    assert not store.settle("a", high, lambda _: "card")
    assert not (tmp_path / "models/a").exists()
    assert models(store) == {low.key}


def test_arm_of_which_nothing_ended_has_no_model(tmp_path: Path) -> None:
    assert not RunStore(tmp_path).settle("a", None, lambda _: "card")
