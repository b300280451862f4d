"""Who names a study's folder for a model is told of the models in it, by every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.cli import main
from headstart.commands.model_folders import refuse_study_folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "x"
    for arm in ("tuned", "words", ".tuned-abcdefgh"):
        (folder / "models" / arm).mkdir(parents=True)
    (folder / "study.yaml").write_text("seeds: 2\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "command",
    ["predict {} hello", "generate {} hello", "export {} -o new", "params {}", "explain lora {}"],
)
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
