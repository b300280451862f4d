"""A method and a task that the package does not know, a file each, run a whole study end to end."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from headstart.cli import main
from headstart.config.traits import METHODS, TASKS, register_method, register_task
from headstart.models.initialise import initialise_model
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]
ARMS: dict[str, Any] = {
    "pretrained": {"method": "head-only"},
    "random": {"init": "random", "method": "head-only"},
    "full": {"method": "full"},
}


@pytest.fixture
def toys() -> Iterator[None]:
    """The toy method and the toy task, known for the length of a test."""
    from toys import focal, head_only

    register_method(head_only.TRAITS)
    register_task(focal.TRAITS)
    yield
    del METHODS[head_only.TRAITS.name], TASKS[focal.TRAITS.name]


@pytest.mark.usefixtures("toys")
def test_a_study_of_a_new_method_and_a_new_task_runs_end_to_end(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = {"epochs": 2, "batch_size": 8, "precision": "fp64"}
    file = study_file(task="focal", arms=ARMS, seeds=[0, 1], training=training, workers=0, pack=2)
    assert main(["plan", str(file)]) == 0
    assert main(["run", str(file)]) == 0
    out = tmp_path / "out"
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert {run["status"] for run in results["runs"]} == {"done"}
    assert {run["arm"] for run in results["runs"]} == {*ARMS, "words"}
    _assert_body_is_frozen(file, out / "models" / "pretrained")
    capsys.readouterr()
    assert main(["compare", str(out), "--json"]) == 0
    assert {row["arm"] for row in json.loads(capsys.readouterr().out)["contrasts"]} >= {"pretrained", "full"}
    _assert_predicts(out / "models" / "pretrained", tmp_path)


def _assert_body_is_frozen(file: Path, model: Path) -> None:
    """The trained model's body is the checkpoint's to the bit, and its head is not what the seed drew."""
    from headstart import load_study
    from headstart.config.runs import expand_runs

    study = load_study(file)
    runs = expand_runs(study)
    (checkpoint,) = prepare_study(study, runs).checkpoints.values()
    first = initialise_model(checkpoint, pretrained=True, seed=0).state_dict()
    trained = load_file(model / "model.safetensors")
    body = [name for name in trained if name.startswith("bert.") and "pooler" not in name]
    assert body
    assert all(torch.equal(trained[name].float(), first[name]) for name in body)
    assert not torch.equal(trained["classifier.weight"].float(), first["classifier.weight"])


def _assert_predicts(model: Path, folder: Path) -> None:
    source, target = folder / "new.csv", folder / "labelled.csv"
    source.write_text("text\na good book\na bad book\n", encoding="utf-8")
    assert main(["predict", str(model), str(source), "-o", str(target)]) == 0
    rows = list(csv.DictReader(target.open(encoding="utf-8")))
    assert len(rows) == 2
    assert all(row["predicted"] for row in rows)


@pytest.mark.usefixtures("toys")
def test_a_method_that_nobody_registered_is_refused_by_name(
    study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_file(arms={"pretrained": {"method": "prefix"}, "words": None})
    assert main(["plan", str(file)]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "arms.pretrained.method" in message
    assert "'head-only'" in message
