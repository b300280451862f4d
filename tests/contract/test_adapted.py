"""Arms that are first pretrained on the study's own texts: what is read, kept, taken again, and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file

import headstart
from answering_studies import write_answering_study
from headstart.cli import main
from headstart.config.load import dump_study, load_study
from headstart.config.runs import expand_runs
from headstart.errors import ModelError, TrainingError
from headstart.methods import adapt
from headstart.methods.adaptation_texts import collect_texts
from headstart.methods.adapted import build_adapted_model, locate_adapted
from headstart.methods.base import build_base_model
from headstart.pretraining import trainer
from headstart.pretraining.state import load_state
from headstart.store.adapted import read_adapting
from headstart.store.layout import StudyLayout
from headstart.training.prepare import prepare_study
from tiny_checkpoints import write_checkpoint

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
    assert "on all 60 training examples, without labels, for 2 epochs, once" in note

    assert "adapting took" in cost
    assert "(2 seeds, " in cost

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
    (kept,) = (tmp_path / "out" / "set-aside" / folder.name).iterdir()
    assert (kept / folder.name / "model.safetensors").is_file()
    assert len(read_adapting(StudyLayout(tmp_path / "out"))) == 1  # what was set aside is counted no more


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


def test_more_text_that_is_not_there_is_missed_before_a_folder_is_made(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT | {"text": "nowhere.txt"})
    assert main(["run", str(file)]) == 2
    assert "nowhere.txt: no such file or folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_adaptation_that_diverges_names_its_own_rate(
    study_in: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("headstart.pretraining.trainer.math.isfinite", lambda value: False)
    assert main(["run", str(study_in(tmp_path, arms=ARMS, adapt=ADAPT))]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "error: adapt: seed 0: no longer finite at step 1" in said
    assert "fix: set a lower adapt.learning_rate" in said
    assert not list((tmp_path / "out").glob("adapted/*/model.safetensors"))


def test_what_keeps_an_adaptation_from_training_keeps_its_own_words(
    study_in: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without a C compiler needs one, and no lower rate."""

    def fail(*words: Any, **more: Any) -> Any:
        raise TrainingError("no C compiler", fix="install gcc")

    monkeypatch.setattr(adapt, "pretrain_model", fail)
    assert main(["run", str(study_in(tmp_path, arms=ARMS, adapt=ADAPT))]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "error: no C compiler fix: install gcc" in said
    assert "learning_rate" not in said


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
        patched.setattr(adapt, "save_file", stop)
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


#: What a process does that is killed while it adapts, after its third state, with the fourth unwritten.
KILLED = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from headstart.cli import main
from headstart.pretraining import trainer
trainer._SAVE_INTERVAL, trainer._MAX_TIME_SHARE = 0.0, float("inf")
saved = 0
save = trainer.save_state
def save_or_die(*words):
    global saved
    saved += 1
    if saved == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    save(*words)
trainer.save_state = save_or_die
sys.exit(main(["run", sys.argv[1]]))
"""


@pytest.mark.long
def test_a_killed_adaptation_goes_on_to_the_same_bits(
    study_in: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT)
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    out = tmp_path / "out"
    assert not list(out.glob("adapted/*/model.safetensors"))
    (state,) = [path for path in out.glob("adapted/.*-state/*") if path.is_file()]

    resumed: list[int] = []

    def load(*words: Any) -> Any:
        found = load_state(*words)
        resumed.append(found.steps if found else 0)
        return found

    monkeypatch.setattr(trainer, "load_state", load)
    assert main(["run", str(file)]) == 0
    assert main(["run", str(file), f"out={tmp_path / 'whole'}"]) == 0
    assert resumed == [3, 0]
    assert not state.exists()
    (killed,) = out.glob("adapted/*/model.safetensors")
    (whole,) = (tmp_path / "whole").glob("adapted/*/model.safetensors")
    assert killed.read_bytes() == whole.read_bytes()
    first, second = (_read_scores(tmp_path / name) for name in ("out", "whole"))
    assert first == second


def _read_scores(out: Path) -> list[Any]:
    runs = json.loads((out / "results.json").read_text("utf-8"))["runs"]
    return [(one["arm"], one["test"]) for one in runs]


def test_steps_in_place_of_epochs(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT)  # of epochs: an override takes them out
    assert main(["run", str(file), "adapt.steps=3"]) == 0
    (record,) = read_adapting(StudyLayout(tmp_path / "out"))
    assert (record.steps, record.tokens) == (3, 3 * 4 * 16)
    note = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["warnings"][0]["message"]
    assert "without labels, for 3 steps, once a seed" in note
    study = load_study(file, ["adapt.steps=3"])
    assert load_study(YAML(typ="safe").load(dump_study(study))) == study

    capsys.readouterr()
    assert main(["plan", str(study_in(tmp_path, arms=ARMS, adapt=ADAPT | {"steps": 3}))]) == 2
    assert "epochs and steps both set" in " ".join(capsys.readouterr().err.split())


def test_a_plan_tells_what_adapting_will_take(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_in(tmp_path, arms=ARMS, adapt=ADAPT, seeds=2)
    assert main(["plan", str(file)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    plan = headstart.plan(load_study(file))
    before = plan.to_dict()["cost"]["adapting"]
    assert f"adapting: 2 times, each {before['steps']} steps, {before['tokens']:,} tokens; " in said
    assert "time not estimated; add --probe" in said
    assert before["seconds"] is None
    prepared, runs = _prepare(file)
    parameters = prepared.select(next(run for run in runs if run.adapted)).checkpoint.build_skeleton()
    assert before["memory_bytes"] == 16 * sum(value.numel() for value in parameters.parameters())

    probed = headstart.plan(load_study(file), probe=True).to_dict()["cost"]["adapting"]
    assert 0 < probed["seconds"]["low"] < probed["seconds"]["high"]
    assert not (tmp_path / "out").exists()

    assert main(["run", str(file)]) == 0
    records = read_adapting(StudyLayout(tmp_path / "out"))
    assert {(record.steps, record.tokens) for record in records} == {(before["steps"], before["tokens"])}
    assert headstart.plan(load_study(file)).to_dict()["cost"]["adapting"] is None
    more = headstart.plan(load_study(file, ["seeds=5"])).to_dict()["cost"]["adapting"]
    assert more["count"] == 3
    seconds = [record.seconds for record in records]
    assert more["seconds"]["low"] == pytest.approx(3 * 0.85 * min(seconds))
    assert more["seconds"]["high"] == pytest.approx(3 * 1.15 * max(seconds))


def test_the_page_tells_what_adapting_took(study_in: StudyFile, tmp_path: Path) -> None:
    assert main(["run", str(study_in(tmp_path, arms=ARMS, adapt=ADAPT, report=True))]) == 0
    (record,) = read_adapting(StudyLayout(tmp_path / "out"))
    page = (tmp_path / "out" / "report" / "index.html").read_text("utf-8")
    assert "Adapting took" in page
    assert f"(1 seed, {record.tokens:,} tokens in all), beside the runs" in page


def test_a_bloom_that_answers_is_adapted_to_the_conversations(tiny_bloom: Path, tmp_path: Path) -> None:
    rows = {
        part: [{"prompt": f"say {'ab'[i % 2]} {i}", "response": "ab"[i % 2] * 3} for i in range(start, end)]
        for part, start, end in (("train", 10, 50), ("valid", 60, 66), ("test", 68, 74))
    }
    file = write_answering_study(
        tmp_path,
        tiny_bloom,
        rows,
        arms={"adapted": {"init": "adapted"}, "lora": {"init": "adapted", "method": "lora"}, "full": {}},
        control="full",
        adapt=ADAPT | {"batch_size": 2},
        training={"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32"},
        generation={"max_new_tokens": 4},
        confounded=True,
    )
    prepared, runs = _prepare(file)
    texts = list(collect_texts(prepared.study, prepared.corpus).iterate())
    assert texts[0] == "say a 10\naaa"
    assert len(texts) == 40
    assert main(["run", str(file)]) == 0
    (record,) = read_adapting(StudyLayout(tmp_path / "out"))  # one, which both arms start from
    assert record.settings["task"] == "causal-lm"
    of_arm = {run.arm: build_base_model(prepared.select(run)) for run in runs}
    full, start = (dict(of_arm[arm].named_parameters()) for arm in ("full", "adapted"))
    assert all(not torch.equal(full[name], start[name]) for name in full if name.endswith(".weight"))
    lora = dict(of_arm["lora"].named_parameters())
    assert all(torch.equal(lora[name], value) for name, value in start.items())
    runs_done = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["runs"]
    assert {one["arm"] for one in runs_done} == {"adapted", "lora", "full"}
