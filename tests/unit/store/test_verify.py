"""Runs that are not what they left are found, and set aside with nothing lost."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.config.traits import TASKS
from headstart.errors import DamagedFileError, OutputError
from headstart.records import RunRecord
from headstart.store.answer_columns import make_answer_columns
from headstart.store.prediction_tables import Predictions
from headstart.store.prediction_writer import make_example_columns, open_predictions, write_table
from headstart.store.predictions import PREDICTIONS_FILE, PredictionReader
from headstart.store.recomputed import compute_test_scores
from headstart.store.runs import RunStore
from headstart.store.verify import DamagedRun, list_done
from headstart.tasks.columns import make_columns
from old_folders import forget_digests
from small_studies import make_record, make_study

KEY = "a/all/0"


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A folder with two runs: their predictions, models and records."""
    store = RunStore(tmp_path / "out")
    store.open_study(make_study(store.out))
    for seed in (0, 1):
        folder = store.get_run_folder(f"a/all/{seed}")
        with open_predictions(folder / PREDICTIONS_FILE, make_columns("class", ("x", "y"))) as out:
            outputs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
            out.add(range(4), np.array([0, 1, 1, seed]), outputs)
        (folder / "model").mkdir()
        (folder / "model" / "model.safetensors").write_bytes(b"weights")
        predictions = store.read_predictions(f"a/all/{seed}", "accuracy")
        assert predictions is not None
        store.write_record(make_record(seed, test=compute_test_scores(predictions)))
    return store


def check(store: RunStore) -> list[RunRecord | DamagedRun]:
    return store.check_runs(make_study(store.out), PredictionReader(store.get_run_folder))


def find_damaged(store: RunStore) -> DamagedRun:
    (damaged,) = (one for one in check(store) if isinstance(one, DamagedRun))
    assert list(list_done(check(store))) == [key for key in (KEY, "a/all/1") if key != damaged.key]
    return damaged


def test_whole_runs_are_done(store: RunStore) -> None:
    assert list(list_done(check(store))) == [KEY, "a/all/1"]


def test_a_changed_model_is_found_by_run_and_kept(store: RunStore) -> None:
    model = store.run_model_folder(KEY)
    (model / "model.safetensors").write_bytes(b"weights!")
    damaged = find_damaged(store)
    assert damaged.error.where == str(model / "model.safetensors")
    read = PredictionReader(store.get_run_folder)
    assert len(store.read_verified(make_study(store.out), read)) == 2, "who compares reads no models"
    kept = store.set_run_aside(damaged)
    assert kept is not None
    assert (kept / "model" / "model.safetensors").read_bytes() == b"weights!"
    assert sorted(path.name for path in kept.iterdir()) == ["model", "predictions.parquet", "record.json"]


def test_a_model_that_was_moved_or_deleted_is_not_missed(store: RunStore) -> None:
    shutil.rmtree(store.run_model_folder(KEY))
    assert len(list_done(check(store))) == 2


def test_what_was_set_aside_before_stays(store: RunStore) -> None:
    content = store.record_file(KEY).read_bytes()
    for number in ("1", "2"):
        store.record_file(KEY).write_bytes(number.encode())
        kept = store.set_run_aside(find_damaged(store))
        assert kept == store.out / "set-aside" / KEY / number
        assert (kept / "record.json").read_bytes() == number.encode()
        store.record_file(KEY).write_bytes(content)
    store.record_file(KEY).unlink()
    assert store.set_run_aside(DamagedRun(KEY, DamagedFileError("gone"))) is None


def test_a_record_in_another_arms_folder_is_no_run_of_it(store: RunStore) -> None:
    folder = store.get_run_folder("b/all/0")
    shutil.copytree(store.get_run_folder(KEY), folder)
    damaged = find_damaged_among(store)
    assert damaged.key == "b/all/0"
    assert damaged.error.got == "is the record of another run, a/all/0"
    with pytest.raises(DamagedFileError, match="is the record of another run"):
        store.read_done_records()


def find_damaged_among(store: RunStore) -> DamagedRun:
    return next(one for one in check(store) if isinstance(one, DamagedRun))


def test_metrics_of_a_task_from_outside_are_its_own(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_record(make_record(0, test={"accuracy": 0.9, "loss": 5.0}))
    assert "accuracy is 0.9 in the record" in find_damaged(store).error.got
    monkeypatch.setitem(TASKS, "classification", replace(TASKS["classification"], tells_metrics=False))
    assert len(list_done(check(store))) == 2


def test_a_file_that_may_not_be_read_is_one_message(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read all, so that the system's refusal is played."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = check(store)
    assert [one.error.got for one in found if isinstance(one, DamagedRun)] == [
        "cannot be read: Permission denied"
    ] * 2


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_is_no_damage(store: RunStore, version: int) -> None:
    file = store.record_file("a/all/1")
    text = file.read_text(encoding="utf-8").replace('"schema_version": 2', f'"schema_version": {version}')
    file.write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match=f"is of schema version {version}") as caught:
        check(store)
    assert not isinstance(caught.value, DamagedFileError)


# Of folders that were written before records had digests: only figures say whose predictions they are.


def write_old_run(store: RunStore, seed: int, outputs: np.ndarray) -> None:
    """A run tested on four examples, the same with each seed, whose record has no digest."""
    folder = store.get_run_folder(f"a/all/{seed}")
    with open_predictions(folder / PREDICTIONS_FILE, make_columns("class", ("x", "y"))) as out:
        out.add(range(4), np.array([0, 1, 1, 0]), outputs)
    record_old_run(store, seed)


def write_old_answers(store: RunStore, seed: int, answers: list[str], *, measured: bool) -> None:
    """A run that answered two prompts; with columns of what each answer is worth, or of before these."""
    columns = make_answer_columns(
        earlier=["", ""],
        prompts=["p", "q"],
        references=["yes", "no"],
        answers=answers,
        stopped=[True, seed == 0],
    )
    kept = {name: column for name, column in columns.items() if measured or name in ANSWERED}
    folder = store.get_run_folder(f"a/all/{seed}")
    write_table(folder / PREDICTIONS_FILE, make_example_columns(range(2), None) | kept)
    record_old_run(store, seed)


ANSWERED = ("prompt", "response", "answer", "stopped")


def record_old_run(store: RunStore, seed: int) -> None:
    predictions = store.read_predictions(f"a/all/{seed}", "accuracy")
    assert predictions is not None
    store.write_record(make_record(seed, test=compute_test_scores(predictions)))
    forget_digests(store.out)


def swap_seeds(store: RunStore) -> None:
    """Exchange the predictions of two runs, whose examples and labels are the same."""
    one, other = (store.get_run_folder(f"a/all/{seed}") / PREDICTIONS_FILE for seed in (0, 1))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def check_swapped(store: RunStore, what: str) -> None:
    assert len(list_done(check(store))) == 2
    swap_seeds(store)
    found = [one.error.got for one in check(store) if isinstance(one, DamagedRun)]
    assert len(found) == 2
    assert all(what in got and "in the record, and" in got for got in found)


@pytest.fixture
def empty(tmp_path: Path) -> RunStore:
    """A folder without runs."""
    store = RunStore(tmp_path / "old")
    store.open_study(make_study(store.out))
    return store


def test_predictions_swapped_between_old_runs_are_found_by_their_figures(empty: RunStore) -> None:
    write_old_run(empty, 0, np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]]))
    write_old_run(empty, 1, np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
    check_swapped(empty, "accuracy is ")


def test_predictions_that_are_as_often_right_are_told_apart_by_their_loss(empty: RunStore) -> None:
    for seed, p in enumerate((0.9, 0.91)):
        outputs = np.array([[p, 1 - p]] * 4)
        write_old_run(empty, seed, outputs)
        scores = compute_test_scores(read_whole(empty, seed)) | {"loss": measure_loss(outputs)}
        empty.write_record(make_record(seed, test=scores))
        forget_digests(empty.out)
    check_swapped(empty, "loss is ")


def read_whole(store: RunStore, seed: int) -> Predictions:
    predictions = store.read_predictions(f"a/all/{seed}", "accuracy")
    assert predictions is not None
    return predictions


def measure_loss(outputs: np.ndarray) -> float:
    return float(-np.log(outputs[np.arange(4), [0, 1, 1, 0]]).mean())


@pytest.mark.parametrize(("measured", "what"), [(True, "exact_match is "), (False, "stopped is ")])
def test_answers_swapped_between_old_runs_are_found(empty: RunStore, measured: bool, what: str) -> None:
    """Of the earliest, whose answers were measured in another way, by how many ended by themselves."""
    write_old_answers(empty, 0, ["yes", "no"], measured=measured)
    write_old_answers(empty, 1, ["yes", "yes"], measured=measured)
    check_swapped(empty, what)
