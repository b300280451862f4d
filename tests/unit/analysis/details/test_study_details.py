"""Everything that a report shows is read from a study's folder, also where some of it is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headstart
from headstart.analysis.details.study_details import StudyDetails, read_details
from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.records import Execution, Parameters, Provenance
from headstart.store.prediction_writer import open_predictions
from headstart.store.runs import RunStore
from headstart.tasks.columns import ClassColumns
from small_studies import make_record

NAMES = ("neg", "pos")


def write_data(folder: Path) -> None:
    for part, count in (("train", 8), ("valid", 4), ("test", 6)):
        rows = [f"{part} text {i},{NAMES[i % 2]}" for i in range(count)]
        (folder / f"{part}.csv").write_text("\n".join(["text,label", *rows]) + "\n")


def write_study(folder: Path, *, right: dict[str, list[list[int]]]) -> Study:
    """A folder of runs that are right, by arm and seed, on the examples listed, and wrong on the rest."""
    write_data(folder)
    values: dict[str, Any] = {
        "data": {part: str(folder / f"{part}.csv") for part in ("train", "valid", "test")},
        "model": "m",
        "arms": {"a": {}, "b": {"init": "random"}, "words": None},
        "control": "b",
        "seeds": len(right["a"]),
        "out": str(folder / "out"),
    }
    study = Study.model_validate(values)
    store, corpus = RunStore(folder / "out"), load_corpus(study)
    store.open_study(study)
    for arm, by_seed in right.items():
        for seed, examples in enumerate(by_seed):
            write_run(store, arm, seed, examples, corpus.parts["test"].labels, corpus.digest)
    return study


def write_run(
    store: RunStore, arm: str, seed: int, right: list[int], labels: np.ndarray, data_digest: str
) -> None:
    is_right = np.isin(np.arange(len(labels)), right)
    predicted = np.where(is_right, labels, 1 - labels)
    outputs = np.where(np.eye(2)[predicted] > 0, 0.75, 0.25)
    record = make_record(
        seed,
        arm=arm,
        valid=float(is_right.mean()),
        seconds=6.0,
        peak_memory_bytes=1000 + seed,
        parameters=Parameters(total=10, trainable=4),
        execution=Execution(device="cpu", precision="fp32", threads=1, workers=1, pack_size=2),
        provenance=make_provenance(data_digest),
    )
    folder = store.get_run_folder(record.key)
    folder.mkdir(parents=True)
    with open_predictions(folder / "predictions.parquet", ClassColumns(NAMES)) as writer:
        writer.add(range(len(labels)), labels, outputs)
    store.write_record(record)


def make_provenance(data_digest: str) -> Provenance:
    return Provenance(
        headstart="0.1.0",
        python="3.11",
        torch="2.13.0",
        transformers="5",
        numpy="2",
        platform="Linux",
        processor="x, 2 cores",
        commit=None,
        data_digest=data_digest,
        checkpoint_digest="files-2:abc",
        started="2026-01-01T00:00:00+00:00",
    )


RIGHT = {"a": [[0, 1, 2, 3], [0, 1, 2, 4]], "b": [[0, 5], [0, 4, 5]]}


@pytest.fixture
def details(tmp_path: Path) -> StudyDetails:
    write_study(tmp_path, right=RIGHT)
    return read_details(headstart.load(tmp_path / "out"))


def test_predictions_become_matrices_and_agreement(details: StudyDetails) -> None:
    confusion = details.confusions[0]
    assert (confusion.arm, confusion.n_seeds, confusion.counts.trace()) == ("a", 2, 8)
    assert [row.arm for row in details.agreements] == ["a", "b"]
    assert details.agreements[0].agreement == pytest.approx(4 / 6)  # they differ on examples 3 and 4
    assert {row.name for row in details.class_scores} == set(NAMES)
    assert details.calibrations[0].error == pytest.approx(abs(0.75 - 8 / 12))


def test_examples_have_their_texts(details: StudyDetails) -> None:
    assert [(row.id, row.text) for row in details.differ] == [
        (1, "test text 1"),
        (2, "test text 2"),
        (5, "test text 5"),
    ]
    of_arm = {row.text for row in details.wrong if row.arm == "a"}
    assert of_arm == {"test text 3", "test text 5"}  # of ties the first class: neg, which 4 is


def test_of_changed_data_no_text_is_shown(tmp_path: Path) -> None:
    write_study(tmp_path, right=RIGHT)
    test = tmp_path / "test.csv"
    test.write_text(test.read_text().replace("text 5", "another 5"))
    details = read_details(headstart.load(tmp_path / "out"))
    assert details.wrong
    assert {row.text for row in details.wrong} == {None}
    assert {row.text for row in details.differ} == {None}


def test_data_that_are_gone_are_no_error(tmp_path: Path) -> None:
    write_study(tmp_path, right=RIGHT)
    (tmp_path / "test.csv").unlink()
    details = read_details(headstart.load(tmp_path / "out"))
    assert [row.id for row in details.differ] == [1, 2, 5]
    assert {row.text for row in details.differ} == {None}


def test_texts_are_left_out_where_that_is_asked(tmp_path: Path) -> None:
    write_study(tmp_path, right=RIGHT)
    details = read_details(headstart.load(tmp_path / "out"), with_texts=False)
    assert {row.text for row in details.wrong} == {None}


def test_costs_share_the_time_of_a_pack(details: StudyDetails) -> None:
    cost = details.costs.arms[0]
    assert (cost.arm, cost.n_runs, cost.seconds, cost.total_seconds) == ("a", 2, 3.0, 6.0)
    assert (cost.memory_bytes, cost.parameters, cost.trainable) == (1001, 10, 4)
    assert details.costs.total_seconds == 12.0
    assert details.costs.devices == ("cpu",)


def test_origins_hide_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_study(tmp_path, right=RIGHT)
    origins = read_details(headstart.load(tmp_path / "out")).origins
    assert str(tmp_path) not in origins.study_yaml
    assert "~/train.csv" in origins.study_yaml
    assert dict(origins.versions)["torch"] == ("2.13.0",)
    assert origins.commands == (
        "# in the folder of Headstart's source, version 0.1.0",
        "pip install -c constraints.txt .",
        "headstart run study.yaml",
    )
    assert dict(origins.checkpoint_digests) == {"a": ("files-2:abc",), "b": ("files-2:abc",)}


def test_a_folder_without_predictions_gives_what_it_can(tmp_path: Path) -> None:
    write_study(tmp_path, right=RIGHT)
    for file in tmp_path.rglob("predictions.parquet"):
        file.unlink()
    for file in tmp_path.rglob("record.json"):  # whose files were deleted, as of an older version
        forget_files(file)
    details = read_details(headstart.load(tmp_path / "out"))
    assert (details.confusions, details.wrong, details.calibrations) == ((), (), ())
    assert details.costs.arms


def forget_files(file: Path) -> None:
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"files": {}, "digest": None}))


def test_energy_is_summed_where_every_run_tells_it(tmp_path: Path) -> None:
    write_study(tmp_path, right=RIGHT)
    files = sorted((tmp_path / "out/runs/a").rglob("record.json"))
    for file, joules in zip(files, (7200.0, 3600.0), strict=True):
        values = json.loads(file.read_text())
        energy = {"processor_joules": joules, "gpu_joules": None}
        file.write_text(json.dumps(values | {"energy": energy, "files": {}, "digest": None}))
    costs = read_details(headstart.load(tmp_path / "out")).costs
    assert [(arm.arm, arm.joules) for arm in costs.arms[:2]] == [("a", 5400.0), ("b", None)]  # two in a pack
    assert (costs.joules, costs.metered) == (None, ("processor",))
