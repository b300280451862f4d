"""Studies whose seeds learn from other training examples, end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart import load_study, run
from headstart.cli import main
from headstart.events import Event, RunStarted
from headstart.execute.open_study import open_study

StudyFile = Callable[..., Path]
ARMS = {
    "pretrained": {"init": "pretrained"},
    "random": {"init": "random"},
    "words": {"method": "bag-of-words"},
}


def write(study_in: StudyFile, folder: Path, rule: str, **changes: Any) -> Path:
    """Three arms and two seeds, of the tests' 60 training examples."""
    file = study_in(folder, **({"arms": ARMS, "seeds": 2} | changes))
    text = file.read_text("utf-8")
    file.write_text(text.replace("data:\n", f"data:\n  training_texts: {rule}\n"), "utf-8")
    return file


def read_records(out: Path) -> dict[str, Any]:
    files = out.glob("runs/*/*/*/record.json")
    return {str(file.parent.relative_to(out / "runs")): json.loads(file.read_text("utf-8")) for file in files}


@pytest.mark.parametrize("rule", ["fixed", "folds", "bootstrap"])
def test_arms_of_a_seed_learn_from_the_same_texts(study_in: StudyFile, tmp_path: Path, rule: str) -> None:
    opened = open_study(load_study(write(study_in, tmp_path, rule)))
    by_seed: dict[int, set[tuple[int, ...]]] = {}
    for one in opened.runs:
        by_seed.setdefault(one.seed, set()).add(tuple(opened.prepared.select(one).train_index.tolist()))
    assert [len(texts) for texts in by_seed.values()] == [1, 1]
    assert (by_seed[0] == by_seed[1]) == (rule == "fixed")


@pytest.mark.parametrize("rule", ["folds", "bootstrap"])
def test_runs_learn_from_their_seeds_texts(study_in: StudyFile, tmp_path: Path, rule: str) -> None:
    study = load_study(write(study_in, tmp_path, rule))
    results = run(study)
    opened = open_study(study)
    for one in opened.runs:
        prepared, record = opened.prepared.select(one), opened.records[one.key]
        assert record.status == "done"
        assert record.train_examples == len(np.unique(prepared.train_index)) < 60
        if record.epochs:
            assert record.epochs[-1].step == -(-len(prepared.train_index) // 8)
    words = [record.test for record in results.records if record.arm == "words"]
    assert words[0] != words[1], "a bag of words has another figure with each seed"
    assert {row.holds_for for row in results.findings.contrasts} == {"for training examples like these"}


def test_an_interrupted_study_goes_on_with_the_same_texts(study_in: StudyFile, tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = run(load_study(write(study_in, tmp_path / "whole", "bootstrap")))

    class InterruptedHereError(BaseException):
        pass

    def on_event(event: Event) -> None:
        if isinstance(event, RunStarted) and event.run.key == "random/all/1":
            raise InterruptedHereError

    file = write(study_in, tmp_path / "cut", "bootstrap")
    with pytest.raises(InterruptedHereError):
        run(load_study(file), on_event)
    again = run(load_study(file))
    assert [(r.key, r.valid, r.test, r.train_examples) for r in again.records] == [
        (r.key, r.valid, r.test, r.train_examples) for r in whole.records
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.training_texts=fixed", "data.training_texts was folds, is fixed"),
        ("data.folds=4", "data.folds was 5, is 4"),
    ],
)
def test_another_way_of_drawing_texts_is_another_study(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    file = write(study_in, tmp_path, "folds", arms={"words": {"method": "bag-of-words"}})
    assert main(["run", str(file)]) == 0
    capsys.readouterr()
    assert main(["run", str(file), change]) == 2
    assert message in capsys.readouterr().err


def test_tokens_are_made_once_whatever_is_drawn(study_in: StudyFile, tmp_path: Path) -> None:
    """They are of all texts: what a run draws of them is no part of their name in the cache."""
    studies = [load_study(write(study_in, tmp_path, rule)) for rule in ("fixed", "bootstrap")]
    tokens = [next(iter(open_study(study).prepared.tokens.values()))["train"] for study in studies]
    folders = {of_study.folder for of_study in tokens}
    assert len(folders) == 1
    assert folders != {None}


def test_more_folds_than_texts_end_before_anything_is_written(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(write(study_in, tmp_path, "folds")), "data.folds=61"]) == 2
    assert "data.folds: 61 folds of 60 training examples" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
