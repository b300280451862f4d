"""What was changed in a finished run's folder is told in sentences; a run that is not there is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headstart.errors import HeadstartError
from headstart.files import write_text
from headstart.store.alterations import read_finished, read_mates
from headstart.store.digests import compute_digest
from headstart.store.ended_packs import _get_file
from headstart.store.runs import RunStore
from small_studies import make_record, make_study

KEY = "a/all/0"


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A folder with a run that is done and left a model, one that failed, and one that is unfinished."""
    store = RunStore(tmp_path / "out")
    store.open_study(make_study(store.out))
    write_text(store.run_model_folder(KEY) / "model.safetensors", "weights")
    store.write_record(make_record(0, test=None))
    store.write_record(make_record(1, status="failed", valid=None, error="the loss is nan\nand more"))
    write_text(store.get_state_folder("a/all/2") / "state", "half")
    return store


def read_alterations(store: RunStore) -> tuple[str, ...]:
    return read_finished(store, make_study(store.out), KEY).alterations


def edit_record(store: RunStore, *, seal: bool, **changes: Any) -> None:
    """Change it as by hand, or with its digest computed anew."""
    file = store.record_file(KEY)
    values = json.loads(file.read_text("utf-8")) | changes
    values |= {"digest": compute_digest(values)} if seal else {}
    file.write_text(json.dumps(values), encoding="utf-8")


def test_of_a_run_as_it_was_left_nothing_is_told(store: RunStore) -> None:
    found = read_finished(store, make_study(store.out), KEY)
    assert (found.record.key, found.alterations) == (KEY, ())


def test_a_record_that_was_edited_is_told_and_read(store: RunStore) -> None:
    edit_record(store, seal=False, train_examples=9)
    assert read_alterations(store) == ("record.json was changed after the run wrote it: its digest differs",)


def test_a_figure_that_no_run_can_have_is_told_though_the_digest_is_right(store: RunStore) -> None:
    edit_record(store, seal=True, valid={"accuracy": 7.0})
    assert read_alterations(store) == (
        "record.json holds what no run can have: valid accuracy is 7: it lies between 0 and 1",
    )


def test_a_file_that_was_changed_is_named_and_one_that_was_deleted_is_not(store: RunStore) -> None:
    file = store.run_model_folder(KEY) / "model.safetensors"
    file.write_text("others", encoding="utf-8")
    told = "model/model.safetensors was changed after the run wrote it: its SHA-256 differs"
    assert read_alterations(store) == (told,)
    file.unlink()
    assert read_alterations(store) == ()


def test_a_study_file_that_was_changed_is_told(store: RunStore) -> None:
    with store.study_file.open("a", encoding="utf-8") as stream:
        stream.write("# a word\n")
    assert read_alterations(store) == ("study.yaml was changed after headstart wrote it",)


@pytest.mark.parametrize(
    ("key", "got", "fix"),
    [
        ("a/all/1", "the run failed: the loss is nan", "run the study again"),
        ("a/all/2", "run a/all/2 is not finished", "finish it with `headstart run`"),
        ("a/all", "no run 'a/all'", "did you mean a/all/0?"),
        ("a/al/0", "no run 'a/al/0'", "did you mean a/all/0?"),
        ("b", "no run 'b'", None),
        ("../../etc/x", "no run '../../etc/x'", None),
    ],
    ids=["failed", "unfinished", "arm", "close", "far", "outside"],
)
def test_what_is_no_finished_run_is_named(store: RunStore, key: str, got: str, fix: str | None) -> None:
    with pytest.raises(HeadstartError) as caught:
        read_finished(store, make_study(store.out), key)
    assert caught.value.got.startswith(got)
    assert "\n" not in caught.value.got
    assert (caught.value.fix or "").startswith(fix or "")
    assert (caught.value.fix is None) == (fix is None)


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "out")
    store.open_study(make_study(store.out))
    with pytest.raises(HeadstartError, match="holds no finished run"):
        read_finished(store, make_study(store.out), KEY)


def test_of_a_pack_that_ended_as_its_process_died_the_record_is_found(store: RunStore) -> None:
    records = [make_record(seed, test=None).model_dump(mode="json") for seed in (5, 6)]
    write_text(_get_file(store, ["a/all/5", "a/all/6"]), json.dumps(records))
    assert read_finished(store, make_study(store.out), "a/all/5").alterations == ()
    assert sorted(read_mates(store)) == [KEY, "a/all/1", "a/all/5", "a/all/6"]


def test_records_that_cannot_be_believed_are_no_mates(store: RunStore) -> None:
    edit_record(store, seal=False, train_examples=9)
    assert sorted(read_mates(store)) == ["a/all/1"]
