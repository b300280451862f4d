"""Tables of anybody's become scores; what is no number, or there twice, is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.analysis.score_files import read_score_file
from headstart.errors import DataError


def write(folder: Path, text: str, name: str = "scores.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_scores_come_by_arm_size_and_seed(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,size,seed,mcc\na,10,0,0.5\na,10,1,0.6\na,20,0,0.7\nb,all,0,0.1\n")
    scores, metric = read_score_file(file, None)
    assert metric == "mcc"
    assert [(arm_scores.cell, arm_scores.train_examples, arm_scores.by_seed) for arm_scores in scores] == [
        (("a", 10), 10, {0: 0.5, 1: 0.6}),
        (("a", 20), 20, {0: 0.7}),
        (("b", "all"), None, {0: 0.1}),
    ]
    assert not any(arm_scores.measures for arm_scores in scores)


@pytest.mark.parametrize(
    ("metric", "value", "read"),
    [("accuracy", "81.5", 0.815), ("accuracy", "0.815", 0.815), ("loss", "81.5", 81.5)],
)
def test_shares_above_one_are_percentages(tmp_path: Path, metric: str, value: str, read: float) -> None:
    (scores,), _ = read_score_file(write(tmp_path, f"arm,seed,{metric}\na,0,{value}\na,1,0.5\n"), None)
    assert scores.by_seed[0] == pytest.approx(read)


def test_a_metric_may_be_named_among_several(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,seed,accuracy,loss\na,0,0.5,2\n")
    (scores,), metric = read_score_file(file, "loss")
    assert (metric, scores.by_seed) == ("loss", {0: 2.0})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,seed,accuracy\n", "no rows"),
        ("arm,seed\na,0\n", "columns none besides arm and seed"),
        ("arm,seed,accuracy,loss\na,0,1,2\n", "columns accuracy, loss besides arm and seed"),
        ("arm,accuracy\na,0.5\n", "no column 'seed'"),
        ("arm,seed,accuracy\na,x,0.5\n", "seed 'x'"),
        ("arm,seed,accuracy\na,0,high\n", "score 'high'"),
        ("arm,seed,accuracy\na,0,nan\n", "score 'nan'"),
        ("arm,seed,accuracy\na,0,0.5\na,0,0.6\n", "a has seed 0 twice"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_score_file(write(tmp_path, text), None)


def test_the_same_seed_of_another_size_is_welcome(tmp_path: Path) -> None:
    scores, _ = read_score_file(write(tmp_path, "arm,size,seed,mcc\na,10,0,0.5\na,20,0,0.6\n"), None)
    assert len(scores) == 2
