"""Whole studies with a tiny model: what lies on disk, what a second call does, and that numbers repeat."""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from headstart import load_study, run
from headstart.cli import main
from headstart.events import EpochDone, Event, PacksPlanned, RunEnded, RunStarted, StepDone
from headstart.processors import count_processors
from headstart.records import RunRecord

StudyFile = Callable[..., Path]
SETTINGS = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
TUNED = {"tuned": {"init": "pretrained"}, "words": None}
WORDS = {"words": {"method": "bag-of-words"}}
CLASSES = {"accuracy", "balanced_accuracy", "macro_f1", "mcc", "loss"}


def record(out: Path, key: str) -> RunRecord:
    return RunRecord.model_validate_json((out / "runs" / key / "record.json").read_bytes())


def records(out: Path) -> dict[str, RunRecord]:
    keys = [str(f.parent.relative_to(out / "runs")) for f in sorted(out.glob("runs/*/*/*/record.json"))]
    return {key: record(out, key) for key in keys}


def written(out: Path) -> dict[str, int]:
    """When each record was written."""
    return {str(f): f.stat().st_mtime_ns for f in out.glob("runs/*/*/*/record.json")}


def predictions(out: Path, key: str) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = pq.read_table(out / "runs" / key / "predictions.parquet").to_pydict()
    return columns


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def in_three(folder: Path, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The `data` section for these rows in one file, split in three."""
    return {"path": jsonl(folder / "all.jsonl", rows), "split": {"valid": 0.2, "test": 0.2}, **more}


@pytest.fixture(autouse=True, scope="module")
def _threads_of_a_worker() -> Iterator[None]:
    """As many threads as each of two workers has, so that sums are added up in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count_processors() // 2))
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Done:
    """A study that was run by the command line, and what it printed."""

    out: Path
    code: int
    said: str
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def done(study_in: StudyFile, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two seeds of the three default arms, two epochs, with both curves."""
    folder = tmp_path_factory.mktemp("done")
    file = study_in(folder, seeds=[0, 1], curves=["valid", "test"], training={**SETTINGS, "epochs": 2})
    with redirect_stdout(io.StringIO()) as printed:
        code = main(["run", str(file), "--json"])
    text = printed.getvalue()
    return Done(folder / "out", code, text, json.loads(text))


# What lies on disk


def test_every_run_leaves_a_record(done: Done) -> None:
    all_records = records(done.out)
    assert list(all_records) == [
        f"{arm}/all/{seed}" for arm in ("pretrained", "random", "words") for seed in (0, 1)
    ]
    assert {r.status for r in all_records.values()} == {"done"}
    assert {r.train_examples for r in all_records.values()} == {60}
    assert all(set(r.test or ()) == CLASSES == set(r.valid or ()) for r in all_records.values())


def test_record_says_how_the_run_was_made(done: Done) -> None:
    run_record = record(done.out, "pretrained/all/1")
    assert [point.step for point in run_record.epochs] == [8, 16]
    assert run_record.selection is not None
    assert run_record.selection.rule == "epoch of the highest valid accuracy, the earliest on ties"
    best = max(run_record.epochs, key=lambda point: point.valid["accuracy"])
    assert (run_record.best_epoch, run_record.valid) == (best.epoch, best.valid)
    assert run_record.test == pytest.approx(best.test)
    assert run_record.execution is not None
    assert (run_record.execution.device, run_record.execution.precision) == ("cpu", "fp32")
    assert run_record.provenance is not None
    assert len(run_record.provenance.data_digest) == 64
    assert run_record.provenance.checkpoint_digest is not None


def test_nothing_unfinished_is_left(done: Done) -> None:
    run_files = {file.name for file in done.out.glob("runs/*/*/*/*")}
    assert run_files == {"record.json", "predictions.parquet"}
    (mark,) = done.out.rglob(".*")
    assert [file.name for file in mark.iterdir() if not file.name.endswith(".free")] == ["folder.json"]


def test_study_is_written_with_every_default(done: Done) -> None:
    study = load_study(done.out / "study.yaml")
    assert (study.seeds, list(study.arms)) == ((0, 1), ["pretrained", "random", "words"])
    assert "weight_decay: 0.01" in (done.out / "study.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["pretrained/all/0", "words/all/1"])
def test_predictions_hold_every_test_text(done: Done, key: str) -> None:
    columns = predictions(done.out, key)
    assert list(columns) == ["id", "label", "predicted", "p_bad", "p_good"]
    assert columns["id"] == list(range(24))
    assert columns["label"] == ["bad", "good"] * 12
    probabilities = np.column_stack([columns["p_bad"], columns["p_good"]])
    assert probabilities.sum(1) == pytest.approx(np.ones(24))
    assert columns["predicted"] == [("bad", "good")[i] for i in probabilities.argmax(1)]


def test_test_metric_is_that_of_the_predictions(done: Done) -> None:
    columns = predictions(done.out, "random/all/0")
    right = sum(a == b for a, b in zip(columns["label"], columns["predicted"], strict=True))
    test_scores = record(done.out, "random/all/0").test
    assert test_scores is not None
    assert test_scores["accuracy"] == pytest.approx(right / 24)


def curves(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_curves_are_readable_by_tensorboard(done: Done) -> None:
    events = curves(done.out / "tensorboard/pretrained/all/0")
    tags = set(events.Tags()["scalars"])
    assert tags == {
        *("train/loss", "train/lr", "best/valid_accuracy", "best/test_accuracy"),
        *(f"{part}/{metric}" for part in ("valid", "test") for metric in CLASSES),
    }
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 17))
    points = record(done.out, "pretrained/all/0").epochs
    measured = [event.value for event in events.Scalars("valid/accuracy")]
    assert measured == pytest.approx([point.valid["accuracy"] for point in points])


def test_best_curve_never_falls(done: Done) -> None:
    values = [e.value for e in curves(done.out / "tensorboard/random/all/1").Scalars("best/valid_accuracy")]
    assert len(values) == 2
    assert values == sorted(values)


def test_baseline_has_its_figures_as_points_at_epoch_0(done: Done) -> None:
    arms = sorted(p.name for p in (done.out / "tensorboard").iterdir() if p.is_dir())
    assert arms == ["pretrained", "random", "words"]
    events, found = curves(done.out / "tensorboard/words/all/0"), record(done.out, "words/all/0")
    assert found.test is not None
    (point,) = events.Scalars("test/accuracy")
    assert (point.step, point.value) == (0, pytest.approx(found.test["accuracy"]))
    assert not any(tag.startswith("train") for tag in events.Tags()["scalars"])


@pytest.mark.parametrize("arm", ["pretrained", "random"])
def test_best_model_loads_and_knows_its_labels(done: Done, arm: str) -> None:
    folder = done.out / "models" / arm
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "bad", 1: "good"}
    assert model.config.label2id == {"bad": 0, "good": 1}
    notes = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))
    valids = {key: r.valid["accuracy"] for key, r in records(done.out).items() if r.arm == arm and r.valid}
    assert notes["valid"] == max(valids.values())
    assert valids[notes["run"]] == notes["valid"]


def test_best_model_gives_the_predictions_of_its_run(done: Done) -> None:
    folder = done.out / "models" / "pretrained"
    notes = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))
    lines = (done.out.parent / "reviews/test.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    label = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(folder))
    expected = predictions(done.out, notes["run"])
    predicted = label(texts, top_k=None)
    good = [next(answer["score"] for answer in each if answer["label"] == "good") for each in predicted]
    assert good == pytest.approx(expected["p_good"], abs=1e-5)


def test_model_card_names_the_study(done: Done) -> None:
    card = (done.out / "models/random/README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "(random weights)" in card
    assert "Labels: `bad`, `good`." in card


def test_results_hold_all_that_was_found(done: Done) -> None:
    results = json.loads((done.out / "results.json").read_text(encoding="utf-8"))
    assert {"schema_version", "study", "runs", "summary", "contrasts", "warnings"} <= results.keys()
    assert (results["schema_version"], len(results["runs"])) == (2, 6)
    assert {row["arm"] for row in results["contrasts"]} == {"pretrained", "words"}
    assert {row["control"] for row in results["contrasts"]} == {"random"}
    rows = [r for r in results["summary"] if (r["arm"], r["metric"]) == ("random", "accuracy")]
    tests = [record(done.out, f"random/all/{seed}").test for seed in (0, 1)]
    assert [row["mean"] for row in rows] == [pytest.approx(np.mean([t["accuracy"] for t in tests if t]))]
    assert rows[0]["n_seeds"] == 2


def test_json_on_standard_output_is_the_content_of_results(done: Done) -> None:
    assert done.code == 0
    assert done.facts == json.loads((done.out / "results.json").read_text(encoding="utf-8"))


# A second call


def test_second_run_trains_nothing(study_file: StudyFile, tmp_path: Path) -> None:
    file = study_file(arms=WORDS)
    assert main(["run", str(file)]) == 0
    before = written(tmp_path / "out")
    assert main(["run", str(file)]) == 0
    assert written(tmp_path / "out") == before
    assert len(before) == 1


def test_more_seeds_are_added(study_file: StudyFile, tmp_path: Path) -> None:
    main(["run", str(study_file(arms=TUNED))])
    before = written(tmp_path / "out")
    assert main(["run", str(study_file(arms=TUNED)), "seeds=2"]) == 0
    after = written(tmp_path / "out")
    assert list(records(tmp_path / "out")) == ["tuned/all/0", "tuned/all/1"]
    assert before.items() <= after.items()


def test_changed_key_is_refused(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", str(study_file(arms=WORDS))])
    before = written(tmp_path / "out")
    assert main(["run", str(study_file(arms=WORDS)), "select.metric=macro_f1"]) == 2
    assert "differences: select.metric was None, is macro_f1" in capsys.readouterr().err
    assert written(tmp_path / "out") == before


def test_plan_tells_what_is_done_and_writes_nothing(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_file(seeds=[0, 1], arms=WORDS)
    main(["run", str(file), "seeds=1"])
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert main(["plan", str(file), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    words = {"arm": "words", "size": "all", "hyperparameters": {}, "for_tuning": False}
    assert values["runs"] == [
        words | {"seed": 0, "key": "words/all/0", "done": True},
        words | {"seed": 1, "key": "words/all/1", "done": False},
    ]
    assert (values["texts"], values["labels"]) == ({"train": 60, "valid": 20, "test": 24}, ["bad", "good"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


# Runs that fail


@pytest.fixture
def poisoned(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint with weights so large that float32 does not hold what they compute."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "poisoned"))
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.LayerNorm.weight"][:] = 3e38
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_failed_run_is_recorded_and_tried_again(
    study_file: StudyFile, tiny_model: Path, poisoned: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arms = {"bad": {"init": str(poisoned)}, "tuned": {}}
    file = study_file(arms=arms)
    assert main(["run", str(file)]) == 1
    first = records(tmp_path / "out")
    assert {key: r.status for key, r in first.items()} == {
        "bad/all/0": "failed",
        "tuned/all/0": "done",
        "words/all/0": "done",
    }
    assert "finite" in str(first["bad/all/0"].error)
    assert "failed: bad/all/0: run bad/all/0: loss nan" in capfd.readouterr().out.replace("\n", " ")
    assert not (tmp_path / "out/models/bad").exists()
    shutil.copy(tiny_model / "model.safetensors", poisoned / "model.safetensors")
    assert main(["run", str(file)]) == 0
    again = records(tmp_path / "out")
    assert again["bad/all/0"].status == "done"
    assert again["tuned/all/0"] == first["tuned/all/0"]


def test_study_whose_every_run_failed_is_an_error(
    study_file: StudyFile, poisoned: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(study_file(model=str(poisoned), arms=TUNED))]) == 2
    assert "every run failed; the first: run tuned/all/0: loss nan" in capfd.readouterr().err
    assert not (tmp_path / "out/looks.json").exists(), "there were no results to look at"


# Tasks


def test_multi_label_study(study_file: StudyFile, tmp_path: Path) -> None:
    names = ("good", "warm", "bright")
    rows = [
        {"text": f"film {i} " + " ".join(chosen), "label": chosen}
        for i in range(80)
        if (chosen := [name for j, name in enumerate(names) if i >> j & 1]) is not None
    ]
    file = study_file(task="multi-label", data=in_three(tmp_path, rows), arms={"tuned": {}})
    assert main(["run", str(file)]) == 0
    all_records = records(tmp_path / "out")
    assert set(all_records["tuned/all/0"].test or ()) == {"macro_f1", "micro_f1", "exact_match", "loss"}
    columns = predictions(tmp_path / "out", "tuned/all/0")
    assert list(columns) == ["id", "label", "predicted", "p_bright", "p_good", "p_warm"]
    assert all(isinstance(cell, list) for cell in columns["predicted"])
    assert (all_records["words/all/0"].test or {})["micro_f1"] > 0.9
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out/models/tuned")
    assert model.config.problem_type == "multi_label_classification"


def test_regression_study(study_file: StudyFile, tmp_path: Path) -> None:
    rows = [{"text": f"film {i} " + "good " * (i % 5), "label": i % 5 / 2} for i in range(60)]
    file = study_file(task="regression", data=in_three(tmp_path, rows), arms={"tuned": {}})
    assert main(["run", str(file)]) == 0
    run_record = record(tmp_path / "out", "tuned/all/0")
    assert set(run_record.test or ()) == {"pearson", "spearman", "rmse", "mae", "loss"}
    columns = predictions(tmp_path / "out", "tuned/all/0")
    assert list(columns) == ["id", "label", "predicted"]
    errors = np.array(columns["predicted"]) - np.array(columns["label"])
    assert (run_record.test or {})["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))


def test_pair_study(study_file: StudyFile, tmp_path: Path) -> None:
    words = ("good", "bad", "warm", "cold")
    rows = [
        {"a": f"film {words[i % 4]}", "b": f"story {words[i // 4 % 4]}", "same": str(i % 4 == i // 4 % 4)}
        for i in range(64)
    ]
    data = in_three(tmp_path, rows, text=["a", "b"], label="same")
    assert main(["run", str(study_file(data=data))]) == 0
    assert list(records(tmp_path / "out")) == ["pretrained/all/0", "random/all/0"]
    assert list(predictions(tmp_path / "out", "random/all/0"))[-2:] == ["p_False", "p_True"]


def test_questions_of_six_classes_at_two_sizes(study_file: StudyFile, tmp_path: Path) -> None:
    kinds = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
    openings = ("what stands for", "how does", "what film", "who is", "where was", "how many")
    rows = [{"text": f"{openings[i % 6]} {i} ?", "label": kinds[i % 6]} for i in range(120)]
    file = study_file(data=in_three(tmp_path, rows), sizes=[12, "all"], arms={"tuned": {}})
    assert main(["run", str(file)]) == 0
    all_records = records(tmp_path / "out")
    assert {key: r.train_examples for key, r in all_records.items()} == {
        "tuned/12/0": 12,
        "tuned/all/0": 72,
        "words/12/0": 12,
        "words/all/0": 72,
    }
    columns = list(predictions(tmp_path / "out", "words/all/0"))
    assert columns[3:] == [f"p_{kind}" for kind in kinds]
    assert (all_records["words/all/0"].test or {})["accuracy"] > 0.9


def test_roberta_study_reads_as_many_tokens_as_it_has_positions(
    study_file: StudyFile, tiny_roberta: Path, tmp_path: Path
) -> None:
    rows = [{"text": f"{('good', 'bad')[i % 2]} {i} " * 40, "label": i % 2} for i in range(30)]
    file = study_file(model=str(tiny_roberta), data=in_three(tmp_path, rows), arms=TUNED)
    assert main(["run", str(file)]) == 0
    assert record(tmp_path / "out", "tuned/all/0").resolved == {
        "max_length": 64,
        "label_cells": "int",
    }


# The same numbers again


def figures(file: Path) -> dict[str, Any]:
    """Metrics and predictions by run."""
    study = load_study(file)
    assert main(["run", str(file)]) == 0
    out = Path(study.out)
    return {key: (r.valid, r.test, predictions(out, key)) for key, r in records(out).items()}


def test_same_study_gives_the_same_numbers_and_another_seed_others(
    study_file: StudyFile, tmp_path: Path
) -> None:
    first, second, other = (
        figures(study_file(arms=TUNED, seeds=[seed], out=str(tmp_path / name)))
        for name, seed in (("first", 3), ("second", 3), ("other", 4))
    )
    assert first == second
    assert first["tuned/all/3"][2]["p_good"] != other["tuned/all/4"][2]["p_good"]


def test_two_workers_give_the_numbers_of_one_process(study_file: StudyFile, tmp_path: Path) -> None:
    alone, together = (
        figures(
            study_file(arms={"tuned": {}}, seeds=[0, 1], workers=workers, out=str(tmp_path / str(workers)))
        )
        for workers in (0, 2)
    )
    assert together == alone
    executed = record(tmp_path / "2", "tuned/all/1").execution
    assert executed is not None
    assert executed.workers == 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_whose_worker_is_killed_is_trained_again_and_fails_alone_the_second_time(
    study_file: StudyFile, times: int
) -> None:
    slow = {**SETTINGS, "epochs": 6}
    file = study_file(arms=TUNED, seeds=[0, 1, 2], workers=1, pack=1, training=slow)
    killed: list[str] = []

    def kill(event: Event) -> None:
        if isinstance(event, RunStarted) and len(killed) < times and event.run.key == "tuned/all/0":
            killed.append(event.run.key)
            multiprocessing.active_children()[0].kill()

    results = run(load_study(file), kill)
    assert len(killed) == times
    failed = results.findings.failed
    assert [record.key for record in failed] == ["tuned/all/0"] * (times - 1)
    assert all("its process was killed by signal 9" in str(record.error) for record in failed)
    assert [r.status for r in results.records].count("done") == 4 - times


# Whoever listens


def test_events_sentences_and_the_number_of_runs_are_told(study_file: StudyFile) -> None:
    file = study_file(arms=TUNED, seeds=[0, 1], training={**SETTINGS, "epochs": 2})
    run(load_study(file, ["seeds=1"]))
    events, sentences, begun = list[Event](), list[str](), list[int]()
    run(load_study(file), events.append, sentences.append, begun.append)
    assert begun == [1], "one of two runs was done"
    kinds = [type(event) for event in events]
    assert kinds == [PacksPlanned, RunStarted, *[*[StepDone] * 8, EpochDone] * 2, RunEnded]
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [event.step for event in steps] == list(range(1, 17))
    assert {event.total for event in steps} == {16}
    assert steps[-1].learning_rate < steps[7].learning_rate
    assert sentences[-2:] == ["trained in this process", sentences[-1]]
    assert sentences[-1].startswith("2 runs, ")
