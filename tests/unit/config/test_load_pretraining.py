"""Pretraining files: paths, overrides, and every mistake with its key and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headstart.commands.schema import schema
from headstart.config.load_pretraining import dump_pretraining, load_pretraining
from headstart.config.pretraining import (
    Masking,
    ModelSizes,
    Pretraining,
    PretrainingData,
    PretrainingSteps,
)
from headstart.errors import StudyError

FILE = """\
data:
  train: [books/*.txt, more.jsonl]
training:
  epochs: 2
out: runs/one
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "pretrain.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_paths_are_relative_to_the_file_and_those_of_overrides_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_pretraining(write(tmp_path, FILE), ["data.valid=v.txt", "training.steps=7"])
    assert settings.data.train_paths == (str(tmp_path / "books/*.txt"), str(tmp_path / "more.jsonl"))
    assert settings.data.valid_paths == (str(tmp_path / "elsewhere" / "v.txt"),)
    assert settings.out == str(tmp_path / "runs/one")
    assert settings.training.steps == 7
    assert settings.model == "roberta-small"


@pytest.mark.parametrize("overrides", [[], ["training.steps=7"]])
def test_what_is_written_is_read_back(tmp_path: Path, overrides: list[str]) -> None:
    settings = load_pretraining(write(tmp_path, FILE), overrides)
    again = load_pretraining(write(tmp_path, dump_pretraining(settings)))
    assert again.model_dump() == settings.model_dump()


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    text = FILE.replace("epochs: 2", "epochs: 0\n  lr: 1").replace("out:", "masking: {share: 2}\nout:")
    with pytest.raises(StudyError) as raised:
        load_pretraining(write(tmp_path, text), ["seed=no"])
    lines = str(raised.value).splitlines()
    file = tmp_path / "pretrain.yaml"
    assert any(line.startswith(f"{file}:5: training.lr: unknown key") for line in lines)
    assert any(line.startswith(f"{file}:4: training.epochs: ") for line in lines)
    assert any(line.startswith(f"{file}:6: masking.share: ") for line in lines)
    assert any(line.startswith("command line: seed: ") for line in lines)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=bloom-small"], "model: bloom-small is for causal-lm, not for masked-lm"),
        (["init=pretrained"], "init: pretrained weights need a checkpoint"),
        (["training.steps=3", "training.epochs=2"], "epochs and steps both set"),
        (["masking.replace=[0.5, 0.1, 0.1]"], "three shares that add up to 1 expected"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(StudyError) as raised:
        load_pretraining(write(tmp_path, FILE), overrides)
    assert message in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is not there: the pretraining file expected"):
        load_pretraining(tmp_path / "no.yaml")


def test_every_key_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "pretrain.md").read_text(encoding="utf-8")
    page = page[page.index("## The file") : page.index("## What it leaves")]
    sections = (Pretraining, PretrainingData, ModelSizes, Masking, PretrainingSteps)
    keys = {key for section in sections for key in section.model_fields}
    words = set(re.findall(r"[a-z_]+", page))
    assert keys - words == set()


def test_the_schema_describes_every_key() -> None:
    described = schema(pretraining=True)
    assert described["$id"] == "urn:headstart:pretraining"
    assert all("description" in value for value in described["properties"].values())


@pytest.mark.parametrize("value", ["[]", "{}", "3"])
def test_a_model_that_is_no_name(tmp_path: Path, value: str) -> None:
    with pytest.raises(StudyError, match="model"):
        load_pretraining(write(tmp_path, FILE + f"model: {value}\n"))
