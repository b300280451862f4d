"""Who names a study's or pretraining's folder for a model is told of the models in it, by every command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.commands.model_folders import refuse_study_folder
from headstart.errors import ModelError
from headstart.models.checkpoints import open_checkpoint
from headstart.models.tokenizers import read_tokenizer


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "x"
    for arm in ("tuned", "words", ".tuned-abcdefgh"):
        (folder / "models" / arm).mkdir(parents=True)
    (folder / "study.yaml").write_text("seeds: 2\n", encoding="utf-8")
    return folder


@pytest.fixture
def pretraining(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "books"
    (folder / "model").mkdir(parents=True)
    (folder / "pretraining.yaml").write_text("seed: 2\n", encoding="utf-8")
    return folder


COMMANDS = ["predict {} hello", "generate {} hello", "export {} -o new", "params {}", "explain lora {}"]


@pytest.mark.parametrize("command", [*COMMANDS, "init data.csv --model {}"])
def test_every_command_names_the_model_of_a_pretraining(
    command: str, pretraining: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pretraining.parent)
    Path("data.csv").write_text("text,label\n" + "good film,yes\nbad film,no\n" * 9, encoding="utf-8")
    assert main(["-q", *command.format(pretraining).split()]) == 2
    assert capfd.readouterr() == (
        "",
        f"error: {pretraining}: a pretraining's folder, not a model\n"
        f"  expected: its model: {pretraining}/model\n",
    )


def test_a_study_and_a_pretraining_from_the_folder_of_a_pretraining(pretraining: Path) -> None:
    for read in (partial(open_checkpoint, task="classification", label_names=("a", "b")), read_name):
        with pytest.raises(ModelError, match=f"expected: its model: {pretraining}/model"):
            read(str(pretraining))


def read_name(name: str) -> Any:
    return read_tokenizer(name, name)


def test_the_folder_of_a_pretraining_that_is_not_done(pretraining: Path) -> None:
    (pretraining / "model").rename(pretraining / ".headstart")
    with pytest.raises(ModelError, match=r"finish the pretraining first: it saves its model in .*/model"):
        refuse_study_folder(pretraining)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_its_models(command: str, study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(command.format(study).split()) == 2
    out, message = capfd.readouterr()
    assert (out, message) == (
        "",
        f"error: {study}: a study's folder, not a model\n"
        f"  expected: one of its models: {study}/models/tuned, {study}/models/words\n",
    )


def test_a_folder_with_somebodys_study_file_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("seeds: 2\n", encoding="utf-8")
    refuse_study_folder(tmp_path)
    refuse_study_folder(tmp_path / "nowhere")
