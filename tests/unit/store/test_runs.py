"""A study's folder as one object: opened for one study, it grows by more seeds of it."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headstart.config.load import load_study
from headstart.errors import OutputError
from headstart.records import StoppingRule
from headstart.store.prediction_writer import write_table
from headstart.store.predictions import PREDICTIONS_FILE
from headstart.store.provenance import collect_provenance
from headstart.store.runs import RunStore
from small_studies import make_record, make_study

RULE = StoppingRule(metric="accuracy", width=2.0, most_seeds=9)


def opened(out: Path, until: StoppingRule | None = None, **changes: Any) -> RunStore:
    store = RunStore(out)
    store.open_study(make_study(out, **changes), until)
    return store


def test_new_folder_gets_the_study(tmp_path: Path) -> None:
    store = opened(tmp_path / "out", seeds=2)
    assert load_study(store.study_file) == make_study(tmp_path / "out", seeds=2)


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert opened(tmp_path / "out").study_file.is_file()


def test_folder_of_another_study_is_not_written_to(tmp_path: Path) -> None:
    store = opened(tmp_path / "out")
    before = store.study_file.read_bytes()
    with pytest.raises(OutputError, match="another study"):
        opened(tmp_path / "out", RULE, model="n")
    assert store.study_file.read_bytes() == before
    assert store.read_stopping_rule() is None


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="cannot be written: the disk is full") as caught:
        opened(tmp_path / "out")
    assert caught.value.where == str(RunStore(tmp_path / "out").mark_file)
    assert [path.name for path in (tmp_path / "out").rglob("*")] == [".headstart"]


def test_new_folder_has_no_seeds_and_no_rule(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "out")
    assert (store.read_seeds(), store.read_stopping_rule(), store.read_done_records()) == ((), None, {})


def test_rule_stays_though_the_study_be_run_without_it(tmp_path: Path) -> None:
    opened(tmp_path / "out", RULE)
    assert opened(tmp_path / "out").read_stopping_rule() == RULE


def test_seeds_that_a_rule_added_are_taken_up(tmp_path: Path) -> None:
    store = opened(tmp_path / "out", RULE, seeds=[0, 1, 2, 5])
    assert store.with_added_seeds(make_study(tmp_path / "out", seeds=[0, 1])).seeds == (0, 1, 2, 5)


def test_seeds_of_a_folder_without_a_rule_are_not(tmp_path: Path) -> None:
    store = opened(tmp_path / "out", seeds=[0, 1, 2, 5])
    study = make_study(tmp_path / "out", seeds=[0, 1])
    assert store.with_added_seeds(study) == study


def test_sources_are_those_of_the_runs_that_are_done(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    source = collect_provenance(data="d", checkpoint=None, commit=None)
    store.write_record(make_record(0, status="failed", provenance=source))
    store.check_sources(store.read_done_records().values(), "another", ())
    store.write_record(make_record(1, provenance=source))
    with pytest.raises(OutputError, match="run a/all/1 was trained with other data"):
        store.check_sources(store.read_done_records().values(), "another", ())


def test_predictions_are_read_by_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.read_predictions("a/all/0", "rmse") is None
    columns = {name: pa.array(np.array([1.0])) for name in ("label", "predicted")}
    write_table(store.get_run_folder("a/all/0") / PREDICTIONS_FILE, {"id": pa.array([0]), **columns})
    predictions = store.read_predictions("a/all/0", "rmse")
    assert predictions is not None
    assert predictions.kind == "numbers"


def test_plain_values_are_written_beside_the_study(tmp_path: Path) -> None:
    assert RunStore(tmp_path).write_json("plan.json", {"runs": []}) == tmp_path / "plan.json"
    assert (tmp_path / "plan.json").read_text("utf-8") == '{\n "runs": []\n}\n'


def test_store_travels_to_another_process(tmp_path: Path) -> None:
    assert pickle.loads(pickle.dumps(RunStore(tmp_path))) == RunStore(tmp_path)
