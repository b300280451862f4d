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


def record(seed: int = 0, *, status: str = "done", valid: float | None = 0.5, arm: str = "a") -> RunRecord:
    scores = None if valid is None else {"accuracy": valid}
    return RunRecord.model_validate(
        {
            "arm": arm,
            "size": "all",
            "seed": seed,
            "status": status,
            "texts": 8,
            "valid": scores,
            "test": scores,
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
