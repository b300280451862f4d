"""`headstart init` on what people bring: the study that it writes is planned as it stands, and runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.config.load import load_study

pytestmark = pytest.mark.usefixtures("one_thread")
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
}


def plan(capsys: pytest.CaptureFixture[str], source: Path, model: Path) -> dict[str, Any]:
    """The plan of the study that `init` writes for `source`."""
    study = source.parent / "study.yaml"
    assert main(["init", str(source), "--model", str(model), "-o", str(study)]) == 0
    capsys.readouterr()
    assert main(["plan", str(study), "--json"]) == 0
    planned: dict[str, Any] = json.loads(capsys.readouterr().out)
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
    plan(capsys, write_csv(tmp_path / "a.csv", rows), tiny_model)
    check_study(tmp_path / "study.yaml", task, keys)


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_bloom: Path, kind: str
) -> None:
    rows, keys = ANSWERS[kind]
    plan(capsys, write_jsonl(tmp_path / "a.jsonl", rows), tiny_bloom)
    check_study(tmp_path / "study.yaml", "instruction", keys)
