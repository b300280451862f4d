"""A model in `models/` that is not what its run left is said; nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.cli import main


@pytest.fixture
def study(study_file: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> Path:
    file = study_file(arms={"pretrained": {}})
    assert main(["run", str(file)]) == 0
    capfd.readouterr()
    return file


def said(study: Path, capfd: pytest.CaptureFixture[str]) -> str:
    assert main(["run", str(study)]) == 0
    return " ".join(capfd.readouterr().err.split())


def test_models_of_finished_studies_that_were_changed_are_said(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = study.parent / "out/models/pretrained"
    assert str(model.name) + ":" not in said(study, capfd)
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert "models/pretrained: model.safetensors is not the file that run pretrained/all/0" in said(
        study, capfd
    )
    (model / "model.safetensors").unlink()
    assert "models/pretrained: model.safetensors of run pretrained/all/0 is missing" in said(study, capfd)
    shutil.rmtree(model)
    message = said(study, capfd)
    assert "models/pretrained: the model of the best of run pretrained/all/0 was deleted" in message
    assert "delete the record.json of that run, and run again" in message
    (study.parent / "out/runs/pretrained/all/0/record.json").unlink()
    said(study, capfd)
    assert (model / "model.safetensors").read_bytes() == weights
    assert "was deleted" not in said(study, capfd)


def test_cards_and_notes_may_be_changed(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    card = study.parent / "out/models/pretrained/README.md"
    card.write_text("mine", encoding="utf-8")
    assert "models/pretrained:" not in said(study, capfd)
    assert card.read_text(encoding="utf-8") == "mine"
