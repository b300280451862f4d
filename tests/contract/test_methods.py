"""Whole studies of adapters: trained in packs, saved with their head, loaded by PEFT itself, merged, used."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.preprocessing import StandardScaler
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from headstart.cli import main
from headstart.config.study import Probe
from headstart.methods import features
from headstart.prepared import PreparedRun
from headstart.records import RunRecord
from headstart.store.model_use import find_model_use
from headstart.store.runs import RunStore

peft = pytest.importorskip("peft")
StudyFile = Callable[..., Path]

ARMS: dict[str, Any] = {
    "full": {"init": "pretrained"},
    "lora": {"method": "lora", "lora": {"r": 4, "dropout": 0.1}},
    "narrow": {"method": "lora", "lora": {"r": 2, "alpha": 8, "dropout": 0.1}},
    "everywhere": {"method": "lora", "lora": {"r": 2, "target": "all", "bias": "all"}},
    "random": {"init": "random", "method": "lora", "lora": {"r": 4, "dropout": 0.1}},
    "ia3": {
        "method": "peft",
        "peft": {"peft_type": "IA3", "target_modules": ["key", "dense"], "feedforward_modules": ["dense"]},
    },
    "probe": {"method": "probe"},
    "first": {"method": "probe", "probe": {"pooling": "cls"}},
    "random-probe": {"init": "random", "method": "probe"},
    "words": None,
}
#: Query and value of two layers, 32 wide; the head of two classes.
_HEAD = 2 * 32 + 2
#: PEFT's word for an adapter's base, and the library's for weights of torch.
_BASE, _PT = "base_model_name_or_path", {"format": "pt"}


def _adapter(r: int) -> int:
    return 2 * 2 * r * (32 + 32) + _HEAD


@pytest.fixture(scope="module")
def done(study_in: StudyFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a study of all methods, in packs."""
    folder = tmp_path_factory.mktemp("methods")
    training = {"epochs": 8, "batch_size": 8, "learning_rate": 2e-2, "precision": "fp32"}
    arms = {**ARMS, "full": {"init": "pretrained", "training": {"learning_rate": 3e-3}}}
    study = study_in(
        folder, arms=arms, seeds=[0, 1], training=training, pack=8, confounded=True, control="random"
    )
    assert main(["run", str(study)]) == 0
    return folder / "out"


def _records(out: Path) -> dict[str, RunRecord]:
    return {record.key: record for record in RunStore(out).read_records()}


def test_every_method_learns(done: Path) -> None:
    for key, record in _records(done).items():
        assert record.test is not None
        assert record.test["accuracy"] > (0.4 if "probe" in key else 0.6), key


def test_records_count_what_trains(done: Path) -> None:
    trainable = {
        r.arm: (r.parameters.trainable, r.parameters.total) for r in _records(done).values() if r.parameters
    }
    all_parameters = trainable["full"][1]
    for arm in ("probe", "first", "random-probe"):
        assert trainable[arm] == (_HEAD, all_parameters)
    assert trainable["full"][0] == all_parameters
    for arm, rank in (("lora", 4), ("narrow", 2), ("random", 4)):
        assert trainable[arm] == (_adapter(rank), all_parameters + _adapter(rank) - _HEAD)


def test_ranks_share_a_pack_and_bases_do_not(done: Path) -> None:
    packs = {key: record.execution.pack_size for key, record in _records(done).items() if record.execution}
    assert {packs[f"{arm}/all/{seed}"] for arm in ("lora", "narrow") for seed in (0, 1)} == {4}
    assert {packs[f"random/all/{seed}"] for seed in (0, 1)} == {1}  # each seed has a body of its own
    assert {packs[f"ia3/all/{seed}"] for seed in (0, 1)} == {1}
    assert {packs[f"probe/all/{seed}"] for seed in (0, 1)} == {2}


def _read_predictions(out: Path, key: str) -> torch.Tensor:
    columns = pq.read_table(out / "runs" / key / "predictions.parquet").to_pydict()
    return torch.tensor([columns["p_bad"], columns["p_good"]], dtype=torch.float64).T


def _test_texts(out: Path) -> list[str]:
    return _texts(out.parent / "reviews" / "test.jsonl")


def _probabilities(model: Any, folder: Path, texts: list[str]) -> torch.Tensor:
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        probabilities: torch.Tensor = model.eval()(**batch).logits.double().softmax(-1)
    return probabilities


@pytest.mark.parametrize("arm", ["lora", "narrow", "everywhere", "ia3"])
def test_peft_itself_loads_the_adapter_with_its_head(done: Path, tiny_model: Path, arm: str) -> None:
    """As its documentation says: a fresh base of as many labels, then `PeftModel.from_pretrained`."""
    folder = done / "models" / arm
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=2)
    model = peft.PeftModel.from_pretrained(base, folder)
    run = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))["run"]
    again = _probabilities(model, folder, _test_texts(done))
    assert float((again - _read_predictions(done, run)).abs().max()) < 1e-4
    assert AutoConfig.from_pretrained(folder).id2label == {0: "bad", 1: "good"}
    assert not (folder / "model.safetensors").exists()


@pytest.mark.parametrize("arm", ["lora", "narrow", "ia3"])
def test_transformers_loads_the_folder_with_its_labels(done: Path, arm: str) -> None:
    """By its path alone: a pipeline, and the model class; scores are those of the run's predictions."""
    folder, texts = done / "models" / arm, _test_texts(done)
    key = json.loads((folder / "headstart.json").read_text("utf-8"))["run"]
    expected = _read_predictions(done, key)
    answers = pipeline("text-classification", model=str(folder))(texts, top_k=None)
    by_label = [{answer["label"]: answer["score"] for answer in of_text} for of_text in answers]
    found = torch.tensor([[scores["bad"], scores["good"]] for scores in by_label], dtype=torch.float64)
    assert torch.allclose(found, expected, atol=1e-5)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert torch.allclose(_probabilities(model, folder, texts), expected, atol=1e-5)


def test_closing_lines_say_by_what_the_best_model_is_loaded(done: Path) -> None:
    uses = {
        arm: find_model_use(done / "models" / arm) for arm in ("full", "lora", "ia3", "everywhere", "probe")
    }
    assert uses == {
        **dict.fromkeys(("full", "lora", "ia3"), "transformers"),
        "everywhere": "export",  # its biases are none that transformers loads
        "probe": "headstart",
    }


def test_adapters_over_random_weights_are_merged(done: Path) -> None:
    folder = done / "models" / "random"
    assert not (folder / "adapter_config.json").exists()
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    run = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))["run"]
    assert (
        float((_probabilities(model, folder, _test_texts(done)) - _read_predictions(done, run)).abs().max())
        < 1e-4
    )


@pytest.mark.parametrize("arm", ["probe", "first", "random-probe"])
def test_a_probe_is_scikit_learns_features_and_weights(done: Path, tmp_path: Path, arm: str) -> None:
    """Features by transformers' own body, standardised by scikit-learn, times the weights in the file."""
    folder = done / "models" / arm
    source = done.parent / "reviews"
    run = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))["run"]
    predicted = _read_predictions(done, run)
    tensors = load_file(folder / "probe.safetensors")
    train, test = (_features(folder, _texts(source / f"{part}.jsonl"), arm) for part in ("train", "test"))
    scaler = StandardScaler().fit(train.numpy())
    features = torch.from_numpy(scaler.transform(test.numpy()))
    logits = features @ tensors["classifier.weight"].double().T + tensors["classifier.bias"].double()
    assert float((logits.softmax(-1) - predicted).abs().max()) < 1e-4
    assert main(["predict", str(folder), str(source / "test.jsonl"), "-o", str(tmp_path / "o.jsonl")]) == 0
    lines = (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["p_good"] for line in lines] == pytest.approx(predicted[:, 1].tolist(), abs=0.02)
    assert (folder / "model.safetensors").exists() == (arm == "random-probe")


def _features(folder: Path, texts: list[str], arm: str) -> torch.Tensor:
    base = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))["base"]
    model = AutoModel.from_pretrained(folder if arm == "random-probe" else base).eval()
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model(**batch).last_hidden_state.double()
    mask = batch["attention_mask"].unsqueeze(-1)
    features: torch.Tensor = states[:, 0] if arm == "first" else (states * mask).sum(1) / mask.sum(1)
    return features


def _texts(file: Path) -> list[str]:
    return [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()]


def test_encoders_run_once(
    study_in: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For all seeds and sizes, and never again."""
    seen: list[str] = []
    real = features._encode

    def count(prepared: PreparedRun, settings: Probe) -> np.ndarray:
        seen.append(prepared.run.arm)
        return real(prepared, settings)

    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(features, "_encode", count)
    arms = {"probe": {"method": "probe"}, "random": ARMS["random-probe"], "words": None}
    study = study_in(tmp_path, arms=arms, seeds=[0, 1], sizes=[20, 40, "all"])
    assert main(["run", str(study)]) == 0
    assert sorted(seen) == ["probe", "random", "random"]
    assert "encoding 104 examples once with each of 3 encoders" in " ".join(capsys.readouterr().err.split())
    assert main(["run", str(study), f"out={tmp_path / 'again'}"]) == 0
    assert len(seen) == 3


def _predictions_in_packs(write: StudyFile, folder: Path, packs: tuple[int, ...], **study: Any) -> list[Any]:
    """What every run of a study says, by key, for each size of packs."""
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "precision": "fp64"}
    predicted = []
    for pack in packs:
        pack_folder = folder / str(pack)
        pack_folder.mkdir()
        assert (
            main(["run", str(write(pack_folder, seeds=[0, 1], training=training, pack=pack, **study))]) == 0
        )
        predicted.append(
            {key: _read_predictions(pack_folder / "out", key) for key in _records(pack_folder / "out")}
        )
    return predicted


def test_packed_probes_are_the_runs_they_are_alone(study_in: StudyFile, tmp_path: Path) -> None:
    arms = {"probe": {"method": "probe"}, "words": None}
    predicted = _predictions_in_packs(study_in, tmp_path, (1, 8), arms=arms, sizes=[20, "all"])
    assert len(predicted[0]) == 4
    assert max(float((predicted[0][key] - predicted[1][key]).abs().max()) for key in predicted[0]) < 1e-9
    assert float((predicted[0]["probe/20/0"] - predicted[0]["probe/20/1"]).abs().max()) > 1e-4


@pytest.mark.parametrize("arm", ["lora", "ia3"])
def test_predict_and_export(done: Path, tmp_path: Path, arm: str) -> None:
    model, exported = done / "models" / arm, tmp_path / "whole"
    assert main(["export", str(model), "--merge", "-o", str(exported)]) == 0
    assert not (exported / "adapter_config.json").exists()
    source = done.parent / "reviews" / "test.jsonl"
    predicted = []
    for folder in (model, exported):
        output = tmp_path / f"{folder.name}.jsonl"
        assert main(["predict", str(folder), str(source), "-o", str(output)]) == 0
        lines = output.read_text(encoding="utf-8").splitlines()
        predicted.append([json.loads(line)["p_good"] for line in lines])
    run = json.loads((model / "headstart.json").read_text(encoding="utf-8"))["run"]
    assert predicted[0] == pytest.approx(
        _read_predictions(done, run)[:, 1].tolist(), abs=0.02
    )  # predict may take bf16
    assert predicted[1] == pytest.approx(predicted[0], abs=0.02)


def test_a_packed_adapter_is_the_run_it_is_alone(study_in: StudyFile, tmp_path: Path) -> None:
    arms = {name: ARMS[name] for name in ("lora", "narrow", "words")}
    predicted = _predictions_in_packs(study_in, tmp_path, (1, 4), arms=arms)
    assert predicted[0].keys() == predicted[1].keys()
    assert max(float((predicted[0][key] - predicted[1][key]).abs().max()) for key in predicted[0]) < 1e-9


def test_seeds_decide_adapters(done: Path) -> None:
    assert (
        float((_read_predictions(done, "lora/all/0") - _read_predictions(done, "lora/all/1")).abs().max())
        > 1e-3
    )


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_other_tasks_and_pairs_of_texts(study_in: StudyFile, tmp_path: Path, task: str) -> None:
    file = tmp_path / "pairs.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for i in range(60):
            label = i % 7 / 2 if task == "regression" else ["one", "two"][: i % 3]
            row = {
                "a": f"film {'good' if i % 2 else 'bad'}",
                "b": f"the {'story ' * (i % 7)}",
                "label": label,
            }
            out.write(json.dumps(row) + "\n")
    arms = {name: ARMS[name] for name in ("lora", "probe", "ia3")} | {"words": None}
    data = {"path": str(file), "text": ["a", "b"]}
    study = study_in(tmp_path, task=task, data=data, arms=arms, sizes=[20, "all"], pack=4)
    assert main(["run", str(study)]) == 0
    records = _records(tmp_path / "out")
    assert len(records) == 6
    assert all(record.status == "done" for record in records.values())
    for arm in ("lora", "probe", "ia3"):
        model = str(tmp_path / "out" / "models" / arm)
        with file.open(encoding="utf-8") as lines:
            rows = [{k: v for k, v in json.loads(line).items() if k != "label"} for line in lines]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
        assert main(["predict", model, str(tmp_path / "in.jsonl"), "-o", str(tmp_path / f"{arm}.jsonl")]) == 0
        first = json.loads((tmp_path / f"{arm}.jsonl").read_text(encoding="utf-8").splitlines()[0])
        assert isinstance(first["predicted"], float if task == "regression" else list)


# What people get wrong


def _refused(study: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["run", str(study)]) == 2
    assert not (study.parent / "out").exists()
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"method": "lora", "lora": {"target": ["q_proj"]}}, ["arms.a.lora.target", "q_proj", "query, key"]),
        ({"method": "full", "lora": {"r": 4}}, ["lora goes with method: lora or qlora, not with full"]),
        ({"method": "lora", "lora": {"rank": 4}}, ["arms.a.lora.rank", "r"]),
        ({"method": "lora", "lora": {"r": 0}}, ["arms.a.lora.r"]),
        ({"method": "peft"}, ["arms.a: method peft needs", "peft_type: IA3"]),
        ({"method": "peft", "peft": {"peft_type": "NONE_SUCH"}}, ["arms.a.peft", "PEFT refuses it"]),
        ({"method": "peft", "peft": {"peft_type": "IA3", "colour": 1}}, ["arms.a.peft", "colour"]),
        (
            {
                "method": "peft",
                "init": "random",
                "peft": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2},
            },
            ["arms.a.peft", "cannot be merged"],
        ),
        ({"method": "qlora", "init": "random"}, ["arms.a.init", "lora, or full"]),
    ],
)
def test_mistakes_are_one_message(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], arm: Any, words: list[str]
) -> None:
    message = _refused(study_in(tmp_path, arms={"a": arm, "words": None}), capsys)
    assert all(word in message for word in words), message
    assert "Traceback" not in message


def test_a_missing_library_is_named(
    study_in: StudyFile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    message = _refused(study_in(tmp_path, arms={"a": {"method": "lora"}, "words": None}), capsys)
    assert "pip install -c constraints.txt '.[lora]'" in message


def test_an_adapter_without_its_base_says_where_it_should_be(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "moved"
    folder.mkdir()
    for file in (done / "models" / "lora").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = str(tmp_path / "nowhere")
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    source = tmp_path / "texts.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["text"], ["good"]])
    assert main(["predict", str(folder), str(source), "-o", str(tmp_path / "out.csv")]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert main(["export", str(folder), "--merge", "-o", str(tmp_path / "whole")]) == 2
    assert not (tmp_path / "whole").exists()
    assert main(["export", str(done / "models" / "full"), "--merge", "-o", str(tmp_path / "whole")]) == 2
    assert "contains no adapter" in capsys.readouterr().err


@pytest.mark.parametrize("arm", ["lora", "ia3", "probe"])
def test_what_was_trained_on_a_base_that_changed_since_predicts_nothing(
    done: Path, arm: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its answers would be those of another network than was tested, and look as good."""
    base, moved = tmp_path / "base", tmp_path / "model"
    shutil.copytree(json.loads((done / "models/lora/adapter_config.json").read_text())[_BASE], base)
    shutil.copytree(done / "models" / arm, moved)
    _name_base(moved, base)
    texts = tmp_path / "texts.csv"
    texts.write_text("text\ngood\n", "utf-8")
    words = ["predict", str(moved), str(texts), "--output", str(tmp_path / "out.csv"), "--text", "text"]
    assert main(words) == 0
    (tmp_path / "out.csv").unlink()
    weights = load_file(base / "model.safetensors")
    save_file({name: value * 1.5 for name, value in weights.items()}, base / "model.safetensors", _PT)
    capfd.readouterr()
    assert main(words) == 2
    assert f"its base model {base} is not the one it was trained on: model.safetensors has changed since" in (
        capfd.readouterr().err
    )
    assert not (tmp_path / "out.csv").exists()


def _name_base(model: Path, base: Path) -> None:
    """Let the model know its base by another path: of a probe our notes have it."""
    adapter, key = model / "adapter_config.json", _BASE
    if not adapter.is_file():
        adapter, key = model / "headstart.json", "base"
    adapter.write_text(json.dumps(json.loads(adapter.read_text("utf-8")) | {key: str(base)}), "utf-8")
