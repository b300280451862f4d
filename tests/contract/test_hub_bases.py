"""A model on a base of the hub: its commit is pinned, and files that were changed in the cache are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
from safetensors.torch import load_file, save_file

from answering_studies import write_answering_study
from headstart.cli import main

StudyFile = Callable[..., Path]
FIRST, SECOND = "1" * 40, "2" * 40
_ARMS = {
    "lora": {"init": "pretrained", "method": "lora", "lora": {"r": 2}},
    "probe": {"init": "pretrained", "method": "probe"},
    "words": None,
}


@pytest.fixture
def cache(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with two commits of the tiny model."""
    return _fill_cache(tmp_path, tiny_model, monkeypatch)


def _fill_cache(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache as it lies on a disk: blobs, links to them by name, and where its main branch is."""
    folder = tmp_path / "hub" / "models--org--tiny"
    (folder / "blobs").mkdir(parents=True)
    for commit in (FIRST, SECOND):
        (folder / "snapshots" / commit).mkdir(parents=True)
        for file in tiny_model.iterdir():
            blob = f"{commit}-{file.name}"
            shutil.copyfile(file, folder / "blobs" / blob)
            (folder / "snapshots" / commit / file.name).symlink_to(Path("../../blobs") / blob)
    _scale(folder / "blobs" / f"{SECOND}-model.safetensors")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(FIRST, "ascii")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder.parent))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(folder.parent))
    return folder


def _scale(weights: Path) -> None:
    scaled = {name: value * 1.5 for name, value in load_file(weights).items()}
    save_file(scaled, weights, {"format": "pt"})


@pytest.fixture
def models(cache: Path, study_file: StudyFile) -> Path:
    """Where the models of a study of that base are."""
    assert main(["run", str(study_file(arms=_ARMS, model="org/tiny"))]) == 0
    return study_file().parent / "out" / "models"


def _predict(model: Path, tmp_path: Path) -> tuple[int, str]:
    """The exit code, and the answers; what was written is removed."""
    texts, out = tmp_path / "texts.csv", tmp_path / "answers.csv"
    texts.write_text("text\ngood\nbad film\n", "utf-8")
    code = main(["predict", str(model), str(texts), "-o", str(out), "--text", "text"])
    answers = out.read_text("utf-8") if out.exists() else ""
    out.unlink(missing_ok=True)
    return code, answers


def test_the_commit_is_loaded_and_changed_files_are_refused(
    models: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [models / "lora", models / "probe"]
    for model in names:
        notes = json.loads((model / "headstart.json").read_text("utf-8"))
        assert (notes["base"], notes["base_revision"]) == ("org/tiny", FIRST)
        assert {"config.json", "model.safetensors"} <= notes["base_files"].keys()
    before = [_predict(model, tmp_path) for model in names]
    assert [code for code, _ in before] == [0, 0]
    (cache / "refs" / "main").write_text(SECOND, "ascii")
    assert [_predict(model, tmp_path) for model in names] == before, "whatever the branch holds now"
    _scale(cache / "blobs" / f"{FIRST}-model.safetensors")
    capsys.readouterr()
    for model in names:
        assert _predict(model, tmp_path) == (2, "")
        assert "is not the one it was trained on: model.safetensors has changed since" in (
            capsys.readouterr().err
        )
    assert main(["export", str(names[0]), "--merge", "-o", str(tmp_path / "whole")]) == 2
    assert "model.safetensors has changed since" in capsys.readouterr().err
    assert not (tmp_path / "whole").exists()


def test_generate_loads_the_commit_and_refuses_changed_files(
    tmp_path: Path, tiny_bloom: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft")
    cache = _fill_cache(tmp_path, tiny_bloom, monkeypatch)
    rows = {"path": [{"prompt": f"say {i}", "response": "yes"} for i in range(20)]}
    arms = {"lora": {"init": "pretrained", "method": "lora", "lora": {"r": 2}}}
    settings = {"arms": arms, "training": {"epochs": 1, "batch_size": 8}, "generation": {"texts": 0}}
    file = write_answering_study(tmp_path, Path("org/tiny"), rows, **settings)
    assert main(["run", str(file)]) == 0
    model = tmp_path / "out" / "models" / "lora"
    notes = json.loads((model / "headstart.json").read_text("utf-8"))
    assert (notes["base"], notes["base_revision"]) == ("org/tiny", FIRST)
    words = ["generate", str(model), "say 3", "--json", "--max-new-tokens", "8"]
    capsys.readouterr()
    assert main(words) == 0
    before = capsys.readouterr().out
    (cache / "refs" / "main").write_text(SECOND, "ascii")
    assert main(words) == 0
    assert capsys.readouterr().out == before, "whatever the branch holds now"
    _scale(cache / "blobs" / f"{FIRST}-model.safetensors")
    (tmp_path / "prompts.csv").write_text("prompt\nsay 3\n", "utf-8")
    answers = tmp_path / "answers.csv"
    for more in (
        words,
        ["generate", str(model), "--file", str(tmp_path / "prompts.csv"), "-o", str(answers)],
    ):
        assert main(more) == 2
        assert "is not the one it was trained on: model.safetensors has changed since" in (
            capsys.readouterr().err
        )
    assert not answers.exists()


def test_a_study_whose_base_changed_in_the_cache_goes_on_with_no_other(
    models: Path, cache: Path, study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commit is the same, its files are not."""
    _scale(cache / "blobs" / f"{FIRST}-model.safetensors")
    assert main(["run", str(study_file(arms=_ARMS, model="org/tiny", seeds=[0, 1]))]) == 2
    assert "was trained with another checkpoint: model.safetensors has changed since" in (
        capsys.readouterr().err
    )
