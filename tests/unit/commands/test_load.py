"""What `headstart.load` makes of folders: of records that nothing was trained for, and of what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import headstart
from headstart.errors import DamagedFileError, HeadstartError
from headstart.store.runs import RunStore
from small_studies import make_record, make_study

ARMS = {"a": {}, "b": {"init": "random"}, "words": None}


def write_folder(out: Path, *, seeds: int = 2, done: int = 2, **keys: Any) -> RunStore:
    """A study of two arms of which `done` seeds ended; arm a scores 0.75 and more, arm b 0.25 and more."""
    store = RunStore(out)
    store.open_study(make_study(out, arms=ARMS, control="b", seeds=seeds, **keys))
    for arm, base in (("a", 0.75), ("b", 0.25)):
        for seed in range(done):
            record = make_record(seed, arm=arm, valid=base + seed / 100)
            store.get_run_folder(record.key).mkdir(parents=True)
            store.write_record(record)
    return store


def test_records_are_found_anew(tmp_path: Path) -> None:
    store = write_folder(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    results = headstart.load(str(tmp_path / "out"))
    assert results.out == store.out
    assert results.arms == ("a", "b")
    assert [run.key for run in results.runs] == ["a/all/0", "a/all/1", "b/all/0", "b/all/1"]
    assert results.missing == ()
    means = {row.arm: row.mean for row in results.findings.summary if row.metric == "accuracy"}
    assert means == {"a": pytest.approx(0.755), "b": pytest.approx(0.255)}
    assert results.study.control == "b"
    assert sorted(tmp_path.rglob("*")) == before


def test_of_an_unfinished_study_what_is_missing_is_known(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", seeds=3)
    results = headstart.load(tmp_path / "out")
    assert results.missing == ("a/all/2", "b/all/2")
    assert repr(results).endswith("4 runs done, 2 missing>")
    assert str(results).startswith("unfinished: 2 runs not done yet")
    assert len(results.frame()) == 4


def test_a_study_in_which_nothing_has_ended_has_no_runs(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", done=0)
    results = headstart.load(tmp_path / "out")
    assert (results.runs, len(results.missing)) == ((), 4)
    assert "failed" not in str(results)
    with pytest.raises(HeadstartError, match="none: no run is done"):
        results.compare()


def test_runs_that_are_still_to_be_chosen_are_counted(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", done=0, tune={"learning_rate": [1e-4, 1e-3]})
    results = headstart.load(tmp_path / "out")
    assert results.n_missing == 2 * (2 * 2 + 2)
    assert len(results.missing) == 2 * 2 * 2


def test_a_run_that_failed_is_there_and_missing(tmp_path: Path) -> None:
    store = write_folder(tmp_path / "out", seeds=3)
    failed = make_record(2, arm="a", valid=None, status="failed", error="loss nan")
    store.get_run_folder(failed.key).mkdir(parents=True)
    store.write_record(failed)
    results = headstart.load(tmp_path / "out")
    assert results.missing == ("a/all/2", "b/all/2")
    assert "1 failed" in repr(results)
    assert results.frame().set_index("key").loc["a/all/2", "error"] == "loss nan"


def test_warnings_that_the_run_ended_with_are_read(tmp_path: Path) -> None:
    store = write_folder(tmp_path / "out")
    warning = {"kind": "leak", "message": "a text of test is in train"}
    store.log_look(store.read_study())
    store.write_json("results.json", headstart.load(store.out).to_dict() | {"warnings": [warning]})
    assert [one.message for one in headstart.load(store.out).findings.warnings] == [warning["message"]]
    (store.out / "results.json").write_text("{", encoding="utf-8")
    assert headstart.load(store.out).findings.warnings == ()


def test_what_is_no_studys_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "study.yaml").write_text("data: {path: a.csv}\nmodel: m\n", encoding="utf-8")
    cases = {"gone": "no such folder", "empty": "holds no study", "study.yaml": "holds no study"}
    cases |= {".": "holds no study that was run"}  # a study file of one's own lies there
    for name, what in cases.items():
        with pytest.raises(HeadstartError, match=what) as caught:
            headstart.load(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
        assert caught.value.expected == "the `out` folder of `headstart run`"
        assert caught.value.fix == (
            "headstart.load_study reads a study file" if name in ("study.yaml", ".") else None
        )


def test_a_record_that_was_changed_is_refused_as_compare_refuses_it(tmp_path: Path) -> None:
    store = write_folder(tmp_path / "out")
    file = store.record_file("a/all/1")
    values = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(values | {"test": {"accuracy": 0.99}}), encoding="utf-8")
    with pytest.raises(DamagedFileError) as loaded:
        headstart.load(store.out)
    with pytest.raises(DamagedFileError) as compared:
        headstart.compare(store.out)
    assert str(loaded.value) == str(compared.value)


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    store = write_folder(tmp_path / "out")
    (store.out / "results.json").write_text('{"schema_version": 1}', encoding="utf-8")
    with pytest.raises(HeadstartError, match="schema version 1"):
        headstart.load(store.out)
