"""`headstart predict` gives for the test texts what the run itself predicted of them, whatever was saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from headstart import device, experiment
from headstart.analysis.collapsed import find_collapse
from headstart.cli import main
from headstart.config.traits import TaskName

StudyFile = Callable[..., Path]
ARMS: dict[str, Any] = {
    "full": {},
    "lora": {"method": "lora", "lora": {"r": 2}},
    "probe": {"method": "probe"},
    "words": {"method": "bag-of-words"},
}
WORDS = ("good", "bad", "odd", "long", "dull", "fine", "film", "book")
#: A network's batches are others here than in the run, and so is the padding: sums are of other lengths, and
#: float32 rounds each at 6e-8. A bag of words computes each text by itself, in float64.
NETWORK_GAP = 2e-6
#: Probabilities of single texts are the same to the bit, but of classes the run's go through logarithms.
WORDS_GAP = 1e-15


def make_label(i: int, task: TaskName) -> Any:
    if task == "multi-label":
        return [["one"], ["two"], ["one", "two"]][i % 3]
    return i % 7 / 2 if task == "regression" else ("x", "y", "z")[i % 3]


def write_texts(file: Path, task: TaskName, start: int, count: int) -> str:
    rows = [
        {
            "text": " ".join(WORDS[(i * k + i // 8) % 8] for k in range(1, 3 + i % 6)) + f" {i}",
            "label": make_label(i, task),
        }
        for i in range(start, start + count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module", params=["classification", "multi-label", "regression"])
def done(
    request: pytest.FixtureRequest, study_in: StudyFile, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The output folder of a study of one task by all methods that save in their own way."""
    folder = tmp_path_factory.mktemp("saved")
    sizes = {"train": (0, 48), "valid": (48, 12), "test": (60, 30)}
    data = {part: write_texts(folder / f"{part}.jsonl", request.param, *n) for part, n in sizes.items()}
    study = study_in(
        folder, task=request.param, data=data, arms=ARMS, pack=1, control="full", confounded=True
    )
    assert main(["run", str(study)]) == 0
    return folder / "out"


@pytest.mark.parametrize("arm", list(ARMS))
def test_saved_models_predict_what_their_runs_did(
    done: Path, arm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The run is in fp32; predict takes bf16 where that is faster, which is up to 0.02 away.
    monkeypatch.setattr(device, "_is_faster_in_bf16", lambda: False)
    model, output = done / "models" / arm, tmp_path / "labelled.jsonl"
    assert main(["predict", str(model), str(done.parent / "test.jsonl"), "-o", str(output)]) == 0
    predicted = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    key = json.loads((model / "headstart.json").read_text(encoding="utf-8"))["run"]
    recorded = pq.read_table(done / "runs" / key / "predictions.parquet").to_pylist()
    numbers = [name for name, value in recorded[0].items() if name.startswith("p_") or is_number(value)]
    numbers = [name for name in numbers if name not in ("id", "label")]
    assert numbers
    gap = max(
        abs(one[name] - other[name])
        for one, other in zip(recorded, predicted, strict=True)
        for name in numbers
    )
    assert gap <= (WORDS_GAP if arm == "words" else NETWORK_GAP)
    if "predicted" not in numbers:
        assert [row["predicted"] for row in predicted] == [row["predicted"] for row in recorded]
    assert len({np.float64(row[numbers[0]]) for row in recorded}) > 1


def is_number(value: object) -> bool:
    return isinstance(value, int | float)


def test_who_is_told_of_a_run_and_its_card_read_its_predictions_once(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []

    def judge(study: Any, record: Any, read: Any) -> Any:
        judged.append(record.key)
        return find_collapse(study, record, read)

    monkeypatch.setattr(experiment, "find_collapse", judge)
    assert main(["run", str(study_file(arms={"words": {"method": "bag-of-words"}}))]) == 0
    assert judged == ["words/all/0"]


def test_a_study_without_its_saved_words_says_what_to_do(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_file(arms={"words": {"method": "bag-of-words"}})
    assert main(["run", str(study)]) == 0
    out = tmp_path / "out"
    shutil.rmtree(out / "models" / "words")
    assert main(["compare", str(out)]) == 0  # scores need no model
    capsys.readouterr()
    assert main(["predict", str(out / "models" / "words"), "good"]) == 2
    said = capsys.readouterr().err
    assert f"delete {out / 'runs' / 'words'} and repeat `headstart run`" in " ".join(said.split())
    shutil.rmtree(out / "runs" / "words")
    assert main(["run", str(study)]) == 0
    assert main(["predict", str(out / "models" / "words"), "good"]) == 0


@pytest.mark.parametrize("command", ["generate", "params", "explain lora", "export", "plan"])
def test_a_bag_of_words_is_no_network(
    command: str, study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "words.json").write_text("{}", encoding="utf-8")
    after = {"generate": ["a prompt"], "export": ["-o", str(tmp_path / "whole")]}.get(command, [])
    asked = study_file(model=str(folder)) if command == "plan" else folder
    assert main([*command.split(), str(asked), *after]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "a saved bag of words, not a network" in said
    assert "use `headstart predict`" in said
