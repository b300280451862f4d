"""A run of each method is trained again: equal to the bit; of one that was tampered with it is said."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import headstart
from answering_studies import write_answering_study
from headstart.analysis.replay import Replay
from headstart.cli import main
from headstart.files import hash_file
from headstart.records import RunRecord
from headstart.store.digests import compute_digest
from headstart.store.runs import RunStore
from old_folders import forget_digests

pytest.importorskip("peft")
StudyIn = Callable[..., Path]

LORA: dict[str, Any] = {"method": "lora", "lora": {"r": 4, "dropout": 0.1}}
IA3 = {"peft_type": "IA3", "target_modules": ["key", "dense"], "feedforward_modules": ["dense"]}
#: One of each method that texts with labels have, and of each start.
ARMS: dict[str, Any] = {
    "pretrained": {},
    "random": {"init": "random"},
    "lower": {"init": {"keep": ["embeddings", "1 layer"]}},
    "svd": {"init": {"embeddings": "svd"}},
    "adapted": {"init": "adapted"},
    "lora": LORA,
    "narrow": {"method": "lora", "lora": {"r": 2, "dropout": 0.1}},
    "ia3": {"method": "peft", "peft": IA3},
    "probe": {"method": "probe"},
    "tuned": {"tune": {"learning_rate": [1e-3, 3e-3], "seeds": [1000]}},
    "words": {"method": "bag-of-words"},
}
TUNED = "tuned/all/tuning-1000/learning_rate=0.001"


@pytest.fixture(scope="module")
def done(study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of all of these, trained by two workers in packs of up to three."""
    folder = tmp_path_factory.mktemp("replayed")
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
    more = {"control": "random", "confounded": True, "curves": ["valid", "test"], "adapt": {"steps": 4}}
    file = study_in(folder, arms=ARMS, seeds=[0, 1], training=training, workers=2, pack=3, **more)
    assert main(["run", str(file)]) == 0
    return folder / "out"


@pytest.fixture
def copied(done: Path, tmp_path: Path) -> Path:
    """A copy of its folder, to be changed."""
    return Path(shutil.copytree(done, tmp_path / "out"))


def _read(out: Path, key: str) -> RunRecord:
    return RunStore(out).read_done_records()[key]


def _list_files(out: Path) -> dict[str, tuple[str, int]]:
    files = (file for file in out.rglob("*") if file.is_file())
    return {str(file): (hash_file(file), file.stat().st_mtime_ns) for file in files}


def _edit(out: Path, key: str, *, seal: bool, **changes: Any) -> None:
    """Change a record, as by hand; `seal` computes its digest anew, as by somebody who means ill."""
    file = out / "runs" / key / "record.json"
    values = json.loads(file.read_text("utf-8")) | changes
    values |= {"digest": compute_digest(values)} if seal else {}
    file.write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize("key", [*(f"{arm}/all/1" for arm in ARMS if arm != "tuned"), TUNED])
def test_a_run_of_each_method_is_equal_to_the_bit(
    done: Path, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = _list_files(done)
    replay = headstart.replay(done, key)
    assert replay.verdict == "equal", replay
    record = _read(done, key)
    assert record.execution is not None
    assert key in replay.pack
    assert len(replay.pack) == record.execution.pack_size
    assert {file.name: file.recorded for file in replay.files} == record.files
    assert all(file.is_same for file in replay.files if file.counts)
    assert replay.count >= len(record.valid or {}) + len(record.test or {})
    assert (replay.conditions, replay.alterations) == ((), ())
    assert _list_files(done) == before
    assert not list(tmp_path.glob("headstart-replay-*"))


def test_judged_runs_of_a_tuned_arm_are_found_by_their_grid_point(done: Path) -> None:
    (key,) = [key for key in RunStore(done).read_done_records() if key.startswith("tuned/all/1/")]
    assert headstart.replay(done, key).verdict == "equal"


def test_runs_of_a_language_model_answer_the_same(tiny_bloom: Path, tmp_path: Path) -> None:
    arms = {"full": {}, "lora": {"method": "lora", "lora": {"r": 2, "target": "all"}}} | {
        "base": {"method": "none"}
    }
    _check_answers(tiny_bloom, tmp_path, arms, seeds=[0, 1], pack=2)


def test_runs_over_four_bits_are_equal_to_the_bit(tiny_bloom: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    arms = {"qlora": {"method": "qlora", "lora": {"r": 2, "target": "all"}}, "base": {"method": "none"}}
    _check_answers(tiny_bloom, tmp_path, arms, seeds=[0])


def _rows(start: int, count: int) -> Iterator[dict[str, str]]:
    yield from ({"prompt": f"say {i}", "response": f"{i}"} for i in range(start, start + count))


def _check_answers(model: Path, folder: Path, arms: dict[str, Any], **changes: Any) -> None:
    """Run a study of these arms, in this process, and replay the last run of each."""
    training = {"epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "precision": "fp32"}
    keys = {"arms": arms, "control": "base", "training": training, "samples": ["say 5"], "confounded": True}
    rows = {"train": _rows(10, 16), "valid": _rows(30, 4), "test": _rows(40, 6)}
    file = write_answering_study(folder, model, rows, **keys, generation={"max_new_tokens": 4}, **changes)
    assert main(["run", str(file)]) == 0
    for arm in arms:
        replay = headstart.replay(folder / "out", f"{arm}/all/{changes['seeds'][-1]}")
        assert replay.verdict == "equal", replay


def test_the_command_says_it_and_can_keep_what_was_trained(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    assert main(["replay", str(done), "words/all/0", "--keep", str(kept)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "words/all/0: equal to the bit" in shown
    assert "predictions equal to the bit weights equal to the bit" in shown
    assert f"What was trained is in {kept}" in shown
    record = json.loads((kept / "runs/words/all/0/record.json").read_text("utf-8"))
    assert record["files"] == _read(done, "words/all/0").files
    assert main(["replay", str(done), "words/all/0", "--keep", str(kept)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["replay", str(done), "words/all/0", "--keep", str(done / "kept")]) == 2
    assert "lies within the study's folder" in capsys.readouterr().err
    assert main(["replay", str(done), "words/all/0", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["schema_version"], values["verdict"], values["metrics"]) == (2, "equal", [])


def test_a_record_that_was_edited_is_said(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = _read(copied, "words/all/1")
    _edit(copied, record.key, seal=False, test={**(record.test or {}), "accuracy": 0.999})
    assert main(["replay", str(copied), record.key]) == 4
    shown = " ".join(capsys.readouterr().out.split())
    assert "is not what the run wrote" in shown
    assert "record.json was changed after the run wrote it: its digest differs" in shown
    assert "test accuracy 0.999 on record" in shown


def test_a_record_whose_digest_was_forged_is_said(copied: Path) -> None:
    record = _read(copied, "words/all/1")
    forged = {**(record.valid or {}), "accuracy": 0.125}
    _edit(copied, record.key, seal=True, valid=forged)
    replay = headstart.replay(copied, record.key)
    assert (replay.verdict, replay.exit_code) == ("altered", 4)
    (sentence,) = replay.alterations
    assert "figures that are not the run's, valid accuracy" in sentence
    (metric,) = replay.metrics
    assert (metric.part, metric.metric, metric.recorded) == ("valid", "accuracy", 0.125)


def _change_predictions(out: Path, key: str) -> Path:
    file = out / "runs" / key / "predictions.parquet"
    table = pq.read_table(file)
    place = table.column_names.index("p_good")
    values = [0.5, *table["p_good"].to_pylist()[1:]]
    column = pa.array(values, table.schema.field("p_good").type)
    pq.write_table(table.set_column(place, table.schema.field("p_good"), column), file)
    return file


def test_predictions_that_were_changed_are_said(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _change_predictions(copied, "words/all/1")
    assert main(["replay", str(copied), "words/all/1"]) == 4
    shown = " ".join(capsys.readouterr().out.split())
    assert "predictions.parquet was changed after the run wrote it: its SHA-256 differs" in shown
    assert "The replay gives what the record says" in shown


def test_predictions_that_were_changed_with_the_record_differ_by_so_much(copied: Path) -> None:
    """Nothing in the folder gives it away: the replay alone does."""
    record = _read(copied, "words/all/1")
    file = _change_predictions(copied, record.key)
    files = {**record.files, "predictions.parquet": hash_file(file)}
    _edit(copied, record.key, seal=True, files=files)
    replay = headstart.replay(copied, record.key)
    assert (replay.verdict, replay.exit_code) == ("different", 3)
    (column,) = replay.columns
    assert (column.column, column.rows, column.n_rows) == ("p_good", 1, 24)
    assert column.largest is not None
    assert column.largest > 0
    assert "All conditions on record are the same" in replay.to_text()


def test_a_record_of_before_digests_is_held_to_its_files(copied: Path) -> None:
    forget_digests(copied)
    replay = headstart.replay(copied, "words/all/1")
    assert replay.verdict == "equal", replay
    assert "without digests" in " ".join(replay.notes)
    assert {file.kind for file in replay.files} >= {"predictions"}


def test_other_versions_and_threads_are_named(copied: Path) -> None:
    record = _read(copied, "pretrained/all/0")
    assert record.provenance is not None
    assert record.execution is not None
    provenance = record.provenance.model_copy(update={"torch": "1.0"}).model_dump()
    execution = record.execution.model_copy(update={"pack_size": 2}).model_dump()
    _edit(copied, record.key, seal=True, provenance=provenance, execution=execution)
    (copied / "placement.json").unlink()
    replay = headstart.replay(copied, record.key)
    named = {condition.name: (condition.then, condition.now) for condition in replay.conditions}
    assert named["torch"][0] == "1.0"
    assert named["runs in its pack"] == ("2", "1")
    assert "it was trained by itself" in " ".join(replay.notes)


def _delete_model(out: Path) -> None:
    shutil.rmtree(out / "models")


def _delete_predictions(out: Path) -> None:
    (out / "runs/words/all/1/predictions.parquet").unlink()


@pytest.mark.parametrize("delete", [_delete_model, _delete_predictions], ids=["model", "predictions"])
def test_what_was_deleted_is_known_by_its_digest(copied: Path, delete: Callable[[Path], None]) -> None:
    delete(copied)
    replay: Replay = headstart.replay(copied, "words/all/1")
    assert replay.verdict == "equal", replay
