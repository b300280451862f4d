"""Going on in a study's folder: what may change, what may not, and what an interruption leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.cli import main

StudyFile = Callable[..., Path]


@pytest.fixture
def ended(study_file: StudyFile) -> Path:
    """The file of a study with one neural arm that has been run."""
    file = study_file(arms={"pretrained": {"init": "pretrained"}, "words": None})
    assert main(["run", str(file)]) == 0
    return file


def _refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "run"])
def test_texts_that_changed_since_are_refused(
    ended: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ended.parent / "reviews" / "train.jsonl"
    data.write_text(data.read_text("utf-8").replace("film", "book"), encoding="utf-8")
    said = _refused([command, str(ended), "seeds=2"], capsys)
    assert "run pretrained/all/0 was made from other data: a file was changed since" in said


def test_weights_that_changed_since_are_refused(
    study_file: StudyFile, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    file = study_file(model=str(model), arms={"pretrained": {"init": "pretrained"}, "words": None})
    assert main(["run", str(file)]) == 0
    _nudge(model)
    assert "was made from another checkpoint" in _refused(["run", str(file), "seeds=2"], capsys)


def _nudge(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(model / "model.safetensors")
    first = sorted(weights)[0]
    save_file(weights | {first: weights[first] + 1}, model / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("command", ["plan", "run"])
def test_an_arms_own_setting_counts_even_where_it_is_the_default(
    ended: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _refused([command, str(ended), "arms.pretrained.training.epochs=3"], capsys)
    assert "arms.pretrained.epochs was 1, is 3" in said


def test_a_model_that_was_not_promoted_is_promoted_by_the_next_call(ended: Path) -> None:
    out = ended.parent / "out"
    best = out / "models" / "pretrained"
    best.rename(out / "runs" / "pretrained" / "all" / "0" / "model")
    assert main(["run", str(ended)]) == 0
    assert json.loads((best / "headstart.json").read_text("utf-8"))["run"] == "pretrained/all/0"


def test_confounded_arms_are_named_by_line(study_file: StudyFile, capsys: pytest.CaptureFixture[str]) -> None:
    arms = {"pretrained": {"init": "pretrained", "training": {"epochs": 2}}, "random": {"init": "random"}}
    file = study_file(arms=arms)
    line = 1 + file.read_text("utf-8").splitlines().index("      epochs: 2")
    said = _refused(["run", str(file)], capsys)
    assert f"{file}:{line}: arms.pretrained.training.epochs: is 2 for pretrained and 1" in said
