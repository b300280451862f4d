"""`headstart init` on what people bring: the study that it writes is planned as it stands, and runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.cli import main
from headstart.config.load import load_study

GOOD, BAD = "a lovely film and a warm ending", "a dull story with a flat scene"
Rows = list[dict[str, Any]]


def say(i: int) -> str:
    return f"{(GOOD, BAD)[i % 2]} {' '.join(['one', 'two', 'three'][: i % 3 + 1])} {i}"


def make_rows(count: int = 60, **cells: Callable[[int], Any]) -> Rows:
    return [{name: cell(i) for name, cell in cells.items()} for i in range(count)]


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


LABELLED: dict[str, tuple[Rows, str, dict[str, Any]]] = {
    "two classes": (
        make_rows(id=int, review=say, sentiment=lambda i: ("pos", "neg")[i % 2]),
        "classification",
        {"text": "review", "label": "sentiment"},
    ),
    "sorted by class": (
        make_rows(count=5200, sentence=say, label=lambda i: int(i >= 5100)),
        "classification",
        {"text": "sentence", "label": "label"},
    ),
    "stars": (
        make_rows(text=say, stars=lambda i: 1 + i % 5),
        "classification",
        {"text": "text", "label": "stars"},
    ),
    "scores of pairs": (
        make_rows(300, sentence1=say, sentence2=lambda i: say(i + 1), score=lambda i: i * 7 % 26 / 5),
        "regression",
        {"text": ["sentence1", "sentence2"], "label": "score"},
    ),
    "inference": (
        make_rows(
            premise=say, hypothesis=lambda i: say(i + 1), label=lambda i: ("yes", "no", "maybe")[i % 3]
        ),
        "classification",
        {"text": ["premise", "hypothesis"], "label": "label"},
    ),
    "cells of several labels": (
        make_rows(plot=say, genres=lambda i: ("funny|film", "film", "war|film", "war")[i % 4]),
        "multi-label",
        {"text": "plot", "label": "genres"},
    ),
    "lists in cells": (
        make_rows(plot=say, genres=lambda i: str([["funny", "war"], ["war"], [], ["funny", "film"]][i % 4])),
        "multi-label",
        {"text": "plot", "label": "genres"},
    ),
    "rows of 0 and 1 in cells": (
        make_rows(plot=say, genres=lambda i: str([i % 2, i // 2 % 2, i // 4 % 2])),
        "multi-label",
        {"text": "plot", "label": "genres"},
    ),
    "numbered columns with an index": (
        [{"": i, "0": say(i), "1": i % 2} for i in range(60)],
        "classification",
        {"text": "0", "label": "1"},
    ),
    "cells with semicolons": (
        make_rows(plot=say, genres=lambda i: ("funny; film", "film", "war; film", "war")[i % 4]),
        "multi-label",
        {"text": "plot", "label": "genres", "label_separator": ";"},
    ),
    "columns of 0 and 1": (
        make_rows(comment=say, a=lambda i: i % 2, b=lambda i: i // 2 % 2, c=lambda i: i // 4 % 2),
        "multi-label",
        {"text": "comment", "label": ["a", "b", "c"]},
    ),
}
ANSWERS: dict[str, tuple[Rows, dict[str, Any]]] = {
    "prompts and responses": (make_rows(prompt=say, response=lambda i: f"{i}!"), {"prompt": "prompt"}),
    "questions and answers": (
        make_rows(question=say, answer=lambda i: say(i + 1)),
        {"prompt": "question", "response": "answer"},
    ),
    "messages": (
        make_rows(
            messages=lambda i: [
                {"role": "system", "content": "be kind"},
                {"role": "user", "content": say(i)},
                {"role": "assistant", "content": say(i + 1)},
            ]
        ),
        {"messages": "messages"},
    ),
    "messages of people and models": (
        make_rows(
            id=lambda i: f"c{i}",
            conversations=lambda i: [{"from": "human", "value": say(i)}, {"from": "gpt", "value": f"{i}!"}],
        ),
        {"messages": "conversations"},
    ),
    "instructions with some inputs": (
        make_rows(instruction=say, input=lambda i: "" if i % 2 else f"it is {i}", output=lambda i: f"{i}!"),
        {"prompt": ["instruction", "input"], "response": "output"},
    ),
    "messages as prompt and completion": (
        make_rows(
            prompt=lambda i: [{"role": "user", "content": say(i)}],
            completion=lambda i: [{"role": "assistant", "content": f"{i}!"}],
        ),
        {"prompt": "prompt", "response": "completion"},
    ),
}


def write_json_list(path: Path, rows: Rows) -> Path:
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return path


def write_semicolons(path: Path, rows: Rows) -> Path:
    lines = [";".join(map(str, row.values())) for row in rows]
    path.write_text("\n".join([";".join(rows[0]), *lines, ""]), encoding="utf-8")
    return path


def write_hub_folder(path: Path, rows: Rows) -> Path:
    """As data sets lie on the hub: parts in `data`, the training examples in two files."""
    (path / "data").mkdir(parents=True)
    names = ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001")
    for i, name in enumerate(names):
        pq.write_table(pa.Table.from_pylist(rows[i::3]), path / "data" / f"{name}.parquet")
    return path


#: How a table of texts and classes may lie there.
FORMS: dict[str, tuple[Callable[[Path, Rows], Path], str, dict[str, Any]]] = {
    "lines of JSON": (write_jsonl, "a.jsonl", {}),
    "one list of JSON": (write_json_list, "a.json", {}),
    "semicolons": (write_semicolons, "a.csv", {"separator": ";"}),
    "a folder of the hub": (write_hub_folder, "films", {}),
}


def plan(capsys: pytest.CaptureFixture[str], source: Path, model: Path) -> dict[str, Any]:
    """The plan of `init`'s study for `source`: it warns of rare classes and of a tiny tokenizer's words."""
    study = source.parent / "study.yaml"
    assert main(["init", str(source), "--model", str(model), "-o", str(study)]) == 0
    capsys.readouterr()
    assert main(["plan", str(study), "--json"]) == 0
    planned: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {warning["kind"] for warning in planned["warnings"]} <= {"imbalance", "unknown-words"}
    return planned


def check_study(file: Path, task: str, expected: dict[str, Any]) -> None:
    """See that the written study has the task, and the columns under these keys."""
    study = load_study(file)
    data = study.data.model_dump(mode="json")
    assert (study.task, {key: data[key] for key in expected}) == (task, expected)


@pytest.mark.parametrize("kind", LABELLED)
def test_labelled_texts_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_model: Path, kind: str
) -> None:
    rows, task, keys = LABELLED[kind]
    assert plan(capsys, write_csv(tmp_path / "a.csv", rows), tiny_model)["task"] == task
    check_study(tmp_path / "study.yaml", task, keys)


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_bloom: Path, kind: str
) -> None:
    rows, keys = ANSWERS[kind]
    plan(capsys, write_jsonl(tmp_path / "a.jsonl", rows), tiny_bloom)
    check_study(tmp_path / "study.yaml", "instruction", keys)


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_every_form_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_model: Path, form: str
) -> None:
    write, name, keys = FORMS[form]
    rows = make_rows(review=say, sentiment=lambda i: ("pos", "neg")[i // 2 % 2])
    plan(capsys, write(tmp_path / name, rows), tiny_model)
    columns = {"text": "review", "label": "sentiment"}
    check_study(tmp_path / "study.yaml", "classification", {**columns, **keys})


def test_answers_in_csv_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_bloom: Path
) -> None:
    """pandas writes lists of messages as Python prints them."""
    rows, keys = ANSWERS["messages"]
    plan(capsys, write_csv(tmp_path / "a.csv", rows), tiny_bloom)
    check_study(tmp_path / "study.yaml", "instruction", keys)


@pytest.mark.parametrize(
    ("kind", "arms"),
    [("two classes", {"pretrained", "random", "words"}), ("scores of pairs", {"pretrained", "random"})],
)
def test_labelled_texts_run(tmp_path: Path, tiny_model: Path, kind: str, arms: set[str]) -> None:
    source = write_csv(tmp_path / "a.csv", LABELLED[kind][0][:60])
    assert run(source, tiny_model) == arms


def test_answers_run(tmp_path: Path, tiny_bloom: Path) -> None:
    pytest.importorskip("peft")
    source = write_jsonl(tmp_path / "a.jsonl", ANSWERS["instructions with some inputs"][0])
    assert run(source, tiny_bloom) == {"base", "lora"}


def run(source: Path, model: Path) -> set[str]:
    """Run the study that `init` writes, in one pass over the texts; gives the arms with results."""
    study = source.parent / "study.yaml"
    assert main(["init", str(source), "--model", str(model), "-o", str(study)]) == 0
    shorter = ["training.epochs=1", "workers=0", "device=cpu", "generation.max_new_tokens=4", "seeds=1"]
    shorter += [] if load_study(study).tune is None else ["tune.seeds=1"]
    assert main(["run", str(study), *shorter]) == 0
    results = json.loads((source.parent / "runs" / "study" / "results.json").read_text(encoding="utf-8"))
    assert {record["status"] for record in results["runs"]} == {"done"}
    return {record["arm"] for record in results["runs"]}
