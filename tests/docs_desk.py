"""A folder with all that examples of the documentation name: tiny stand-ins of data and checkpoints."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import headstart
from conftest import BAD, GOOD, review
from fairseq_networks import WORDS, make_settings, make_state, write_folder, write_lines
from judged_studies import write_answered_study
from others_results import write_lm_eval

#: Of the lab report in docs/statistics.md: accuracy by arm, seeds 0 to 2.
LAB = {"random": (0.625, 0.645, 0.635), "pretrained": (0.815, 0.78, 0.825)}


def write_desk(desk: Path, model: Path, write_study: Callable[..., Path]) -> None:
    """Write the folder; one study is run in it, and stands for all that examples look into."""
    write_texts(desk)
    for name in ("models/roberta-small-fr", "prajjwal1/bert-tiny"):
        shutil.copytree(model, desk / name)
    study = write_study(
        desk,
        model=str(desk / "models" / "roberta-small-fr"),
        arms={"pretrained": {}, "random": {"init": "random"}, "lora": {"method": "lora"}},
        control="random",
        seeds=2,
        out=str(desk / "runs" / "study"),
    )
    headstart.run(headstart.load_study(study))
    for name in ("books_fr", "old", "new"):
        shutil.copytree(desk / "runs" / "study", desk / "runs" / name)
    write_answered_study(desk / "runs" / "faq")
    (desk / "runs" / "faq" / "models" / "lora").mkdir(parents=True)
    write_results_of_others(desk)
    write_fairseq(desk)


def write_fairseq(desk: Path) -> None:
    """A classifier of fairseq's, and the folder of its binarised data with dictionaries and tokenizer."""
    settings = make_settings(task="sentence_prediction")
    write_folder(
        desk / "checkpoints",
        settings,
        make_state(settings, {"sentence_classification_head": 2}),
        name="checkpoint_best.pt",
    )
    shutil.move(desk / "checkpoints" / "dict.txt", desk / "checkpoints" / "words.txt")
    write_lines(desk / "data-bin" / "input0" / "dict.txt", WORDS)
    write_lines(desk / "data-bin" / "label" / "dict.txt", ("-1", "1", "madeupword0000", "madeupword0001"))
    (desk / "data-bin" / "bpe.codes").write_text("w 0</w> 5\n", encoding="utf-8")


def write_texts(desk: Path) -> None:
    """Data files that examples read."""
    reviews = [[review(i, GOOD if i % 2 else BAD), "good" if i % 2 else "bad"] for i in range(60)]
    write_rows(desk / "reviews.csv", [["text", "label"], *reviews])
    write_rows(desk / "new.csv", [["text"], ["a warm film"], ["a flat film"]])
    write_rows(desk / "questions.csv", [["prompt"], ["How long does it take?"]])
    (desk / "texts.txt").write_text("a warm film\na flat film\n", encoding="utf-8")
    write_rows_as_json(desk / "new.jsonl", [{"text": "a warm film"}])
    talk = {"messages": [{"role": "user", "content": "How long?"}]}
    write_rows_as_json(desk / "talks.jsonl", [talk])
    for judge in ("anna", "ben"):
        write_rows(desk / f"{judge}.csv", [["row", "choice"], ["1", "tie"]])


def write_results_of_others(desk: Path) -> None:
    """Tables of scores, and results item by item."""
    scores = [[arm, str(seed), str(value)] for arm, of in LAB.items() for seed, value in enumerate(of)]
    write_rows(desk / "scores.csv", [["arm", "seed", "accuracy"], *scores])
    items = [[arm, str(i), str(int(i % (3 + k) > 0))] for k, arm in enumerate("AB") for i in range(40)]
    write_rows(desk / "items.csv", [["arm", "item", "accuracy"], *items])
    board = [[name, str(0.8 - i / 50)] for i, name in enumerate(("first", "second", "third"))]
    write_rows(desk / "leaderboard.csv", [["arm", "accuracy"], *board])
    right: list[list[float]] = [[float(i % (3 + k) > 0) for i in range(40)] for k in range(3)]
    write_lm_eval(desk / "a", right[0], date="2024-11-05T13-31-45")
    for name in ("b", "baseline", "candidate"):
        write_lm_eval(desk / name, right[1])
    for i in range(3):
        write_lm_eval(desk / "results" / f"model-{i}", right[i])


def write_rows_as_json(file: Path, rows: list[dict[str, Any]]) -> None:
    """JSON Lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_rows(file: Path, rows: list[list[Any]]) -> None:
    """A CSV."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
