"""Arms that are first pretrained on the study's own texts: what is read, kept, taken again, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from headstart.cli import main
from headstart.config.load import load_study
from headstart.config.runs import expand_runs
from headstart.errors import ModelError
from headstart.methods import adapted
from headstart.methods.adapted import build_adapted_model, collect_texts, locate_adapted
from headstart.methods.base import build_base_model
from headstart.training.prepare import prepare_study
from tiny_checkpoints import write_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")
StudyFile = Callable[..., Path]
ARMS: dict[str, Any] = {"adapted": {"init": "adapted"}, "pretrained": {}, "words": None}
ADAPT: dict[str, Any] = {"epochs": 2, "block": 16, "batch_size": 4, "learning_rate": 1e-3}


def _prepare(file: Path) -> Any:
    study = load_study(file)
    runs = expand_runs(study)
    return prepare_study(study, runs), runs


def _read_records(out: Path) -> dict[str, Any]:
    files = out.glob("adapted/*/adapted.json")
    return {file.parent.name: json.loads(file.read_text("utf-8")) for file in files}


def test_each_seed_is_adapted_once_kept_and_taken_again(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT, seeds=2, sizes=[8, 16])
    assert main(["run", str(file)]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("adapting ") == 2
    out = tmp_path / "out"
    assert len(_read_records(out)) == 2
    warnings = json.loads((out / "results.json").read_text("utf-8"))["warnings"]
    note, cost = [one["message"] for one in warnings if one["kind"] == "adapted"]
    assert "once a seed (2 seeds); sizes count labels, not texts" in note
    assert "on all 60 training examples, without labels, for 2 epochs of about" in note

    assert "adapting took" in cost
    assert "2 seeds" in cost

    prepared, runs = _prepare(file)
    first, second = (prepared.select(run) for run in runs if run.arm == "adapted" and run.size == 8)
    pretrained = prepared.select(next(run for run in runs if run.arm == "pretrained"))
    weights = load_file(locate_adapted(first) / "model.safetensors")
    models = map(build_base_model, (first, pretrained, second))
    found, whole, other = (dict(model.named_parameters()) for model in models)
    changed = {name for name in found if not torch.equal(found[name], whole[name])}
    assert changed
    assert all(torch.equal(found[f"bert.{name}"], value) for name, value in weights.items())
    assert changed <= {f"bert.{name}" for name in weights}
    assert any(not torch.equal(found[name], other[name]) for name in changed)

    assert main(["run", str(file), "seeds=3"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("adapting ") == 1
    assert len(_read_records(out)) == 3


def test_damaged_weights_are_made_again(study_in: StudyFile, tmp_path: Path) -> None:
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT)
    assert main(["run", str(file)]) == 0
    (folder,) = (tmp_path / "out" / "adapted").iterdir()
    # Copied: what is loaded is a view of the file.
    before = {name: value.clone() for name, value in load_file(folder / "model.safetensors").items()}
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(b"\1\2\3\4")
    prepared, runs = _prepare(file)
    run = next(run for run in runs if run.arm == "adapted")
    with pytest.raises(ModelError, match="damaged"):
        build_adapted_model(prepared.select(run))
    assert main(["run", str(file), "arms.more.init=adapted"]) == 0
    after = load_file(folder / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_texts_alone_are_read(study_in: StudyFile, tmp_path: Path) -> None:
    prepared, _ = _prepare(study_in(tmp_path, arms=ARMS, adapt=ADAPT, sizes=[8]))
    corpus = prepared.corpus
    assert list(collect_texts(prepared.study, corpus).iterate()) == list(corpus.parts["train"].texts)


def test_more_text_may_hold_nothing_that_is_evaluated(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more.txt"
    more.write_text("a film nobody saw\nthe story of a good scene\n", encoding="utf-8")
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT | {"text": "more.txt"})
    prepared, _ = _prepare(file)
    texts = list(collect_texts(prepared.study, prepared.corpus).iterate())
    assert texts[-2:] == more.read_text("utf-8").splitlines()
    test = json.loads((tmp_path / "reviews" / "test.jsonl").read_text("utf-8").splitlines()[0])["text"]
    more.write_text(f"a film nobody saw\n {test}  \n", encoding="utf-8")
    assert main(["run", str(file)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "adapt.text: document 2 is an example of valid or test" in said
    assert "Traceback" not in said


def test_adapters_over_adapted_weights_are_saved_whole(study_in: StudyFile, tmp_path: Path) -> None:
    arms = {"adapted": {"init": "adapted", "method": "lora"}, "words": None}
    assert main(["run", str(study_in(tmp_path, arms=arms, adapt=ADAPT))]) == 0
    assert (tmp_path / "out" / "models" / "adapted" / "model.safetensors").is_file()


def test_qlora_is_refused(study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = study_in(tmp_path, arms={"a": {"init": "adapted", "method": "qlora"}, "words": None})
    assert main(["run", str(file)]) == 2
    assert "qlora reads a whole checkpoint, not adapted" in " ".join(capsys.readouterr().err.split())


def test_an_adaptation_that_was_stopped_goes_on_to_the_same_weights(
    study_in: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> dict[str, torch.Tensor]:
        (file,) = (tmp_path / name / "adapted").glob("*/model.safetensors")
        return load_file(file)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT)
    assert main(["run", str(file), f"out={tmp_path / 'whole'}"]) == 0
    with monkeypatch.context() as patched:
        patched.setattr(adapted, "save_file", stop)
        assert main(["run", str(file)]) != 0
    assert not list((tmp_path / "out").glob("adapted/*/model.safetensors"))
    assert list((tmp_path / "out" / "adapted").rglob("*.*"))  # the state
    assert main(["run", str(file)]) == 0
    whole, gone_on = load("whole"), load("out")
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)
    assert [one.name for one in (tmp_path / "out" / "adapted").iterdir()] == [
        one.name for one in (tmp_path / "whole" / "adapted").iterdir()
    ]


def test_a_causal_model_is_adapted_by_its_own_task(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(tmp_path / "gpt2", "gpt2")
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT, model=str(model))
    assert main(["run", str(file)]) == 0
    assert "seed 0: causal-lm" in " ".join(capsys.readouterr().err.split())
    assert len(_read_records(tmp_path / "out")) == 1


def test_a_tokenizer_without_mask_token_is_refused(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_checkpoint(tmp_path / "roberta", "roberta")
    for command in ("plan", "run"):
        assert main([command, str(study_in(tmp_path, arms=ARMS, model=str(model)))]) == 2
        assert "has no mask token" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
