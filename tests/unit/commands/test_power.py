"""`headstart power`: from assumptions, from a study that was run, and of a leaderboard of single results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart.cli import main
from headstart.commands.power import power_assumed, power_measured, read_leaderboard
from headstart.errors import HeadstartError

StudyFile = Callable[..., Path]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """60 single results, the best five 1.8 points apart, near 50% right."""
    draws = np.random.default_rng(0)
    scores = [51.8, 51.4, 50.9, 50.4, 50.0, *np.sort(draws.uniform(40, 49.5, 55))[::-1]]
    rows = "".join(f"model-{i},{score:.2f}\n" for i, score in enumerate(scores))
    (tmp_path / "board.csv").write_text("arm,accuracy\n" + rows, encoding="utf-8")
    return tmp_path / "board.csv"


def test_none_of_the_top_five_is_told_apart_from_noise(
    board: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    leaderboard = read_leaderboard(board, 1319)
    assert 100 * leaderboard.noise_limit == pytest.approx(3.8, abs=0.05)
    assert [rank.name for rank in leaderboard.ranks] == [f"model-{i}" for i in range(5)]
    assert all(rank.is_noise for rank in leaderboard.ranks)
    assert main(["power", str(board), "--test-examples", "1319"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "below 3.8 points" in shown
    assert "model-4 50.0 1.8 yes" in shown
    assert main(["power", str(board), "--test-examples", "1319", "--json"]) == 0
    values = json.loads(capfd.readouterr().out)
    assert values == {"schema_version": 2, **json.loads(json.dumps(leaderboard.to_dict()))}
    assert values["ranks"][4]["difference"] == pytest.approx(0.018)


def test_more_examples_or_more_agreement_tell_more_apart(board: Path) -> None:
    usual = read_leaderboard(board, 1319)
    assert read_leaderboard(board, 1319, disagree=10).noise_limit < usual.noise_limit
    assert not read_leaderboard(board, 100_000).ranks[-1].is_noise


def test_assumptions_are_in_points(capfd: pytest.CaptureFixture[str]) -> None:
    analysis = power_assumed(
        test_examples=2000, seeds=5, difference=2.0, accuracy=80, disagree=10, disagree_stays=40, seed_std=0.5
    )
    (contrast,) = analysis.contrasts
    assert contrast.variances.examples == pytest.approx(0.04)
    assert contrast.variances.residual == pytest.approx(0.06)
    assert contrast.variances.seeds == pytest.approx(0.005**2)
    assert contrast.difference == pytest.approx(0.02)
    words = "--test-examples 2000 --seeds 5 --difference 2 --disagree 10 --seed-std 0.5 --disagree-stays 40"
    assert main(["power", *words.split(), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == json.loads(json.dumps(analysis.to_dict()))


def test_three_seeds_are_assumed(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--test-examples", "2000", "--json"]) == 0
    (values,) = json.loads(capfd.readouterr().out)["contrasts"]
    assert values["n_seeds"] == 3
    assert "difference" not in values


def test_it_says_which_of_the_two_is_the_limiting_factor(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--test-examples", "200", "--difference", "2", "--seed-std", "0.1"]) == 0
    shown = capfd.readouterr().out
    assert "test examples are the limiting factor" in shown
    assert "no number of seeds is enough" in shown
    assert main(["power", "--test-examples", "100000", "--difference", "2", "--seed-std", "5"]) == 0
    assert "seeds are the limiting factor" in capfd.readouterr().out


def test_a_study_that_was_run_has_measured_variances(
    tmp_path_factory: pytest.TempPathFactory, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path_factory.mktemp("measured")
    headstart.run(headstart.load_study(study_in(where, seeds=[0, 1, 2])))
    analysis = power_measured(where / "out", difference=5.0)
    assert analysis.metric == "accuracy"
    assert {row.contrast for row in analysis.contrasts} <= {"pretrained - random", "words - random"}
    assert all((row.test_examples, row.n_seeds) == (24, 3) for row in analysis.contrasts)
    assert analysis.contrasts[0].difference == 0.05
    assert all(row.n_tests == 2 and row.squares is not None for row in analysis.contrasts)
    assert power_measured(where / "out", contrasts=5).contrasts[0].level == pytest.approx(0.01)
    # As many metrics as the study has share the chance to err, but for its main one.
    assert power_measured(where / "out", metric="macro_f1").contrasts[0].n_tests > 2
    other = power_measured(where / "out", seeds=7, test_examples=500).contrasts[0]
    assert (other.test_examples, other.n_seeds, other.difference) == (500, 7, None)
    assert main(["power", str(where / "out"), "--difference", "5"]) == 0
    assert "minimum detectable difference" in capfd.readouterr().out
    assert power_measured(where / "out", metric="macro_f1").contrasts
    assert main(["power", str(where / "out"), "--control", "nobody"]) == 2
    assert "no arm is called 'nobody'" in capfd.readouterr().err
    for file in (where / "out").rglob("predictions.parquet"):
        file.unlink()
    with pytest.raises(HeadstartError, match="no contrast of accuracy has two differing seeds"):
        power_measured(where / "out")


@pytest.mark.parametrize("words", [[], ["--difference", "2"]])
def test_test_examples_are_asked_for(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", *words]) == 2
    assert "--test-examples N" in capfd.readouterr().err


def test_a_leaderboard_needs_its_test_examples(board: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", str(board)]) == 2
    assert "the number of test examples is needed" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,accuracy\na,50\n", "fewer than two results"),
        ("arm,accuracy\na,50\na,60\n", "fewer than two results"),
        ("arm,accuracy\na,50\nb,high\n", "score 'high'"),
        ("arm,accuracy\na,50\nb,0.6\n", r"csv:2: accuracy 50, but 0.6 at .*csv:3: fractions and percentages"),
        ("arm,accuracy\na,50\nb,101\n", "csv:3: accuracy 101"),
        ("arm,elo\na,1250\nb,1300\n", "'elo' is not known to be a share"),
        ("arm,rmse\na,0.2\nb,0.3\n", "'rmse' is not known to be a share"),
        ("arm,accuracy,f1\na,50,40\nb,60,50\n", r"columns accuracy, f1 besides arm[\s\S]*--metric NAME"),
        ("arm,seed,accuracy\na,0,50\na,0.0,60\nb,0,60\n", r"csv:3: a has seed 0 twice, first at .*csv:2"),
        ("arm,size,accuracy\na,10,50\na,20,60\nb,10,60\n", "csv:3: a has size 20, but 10 at"),
        ("arm,size,accuracy\na,1k,50\nb,10,60\n", "size '1k'"),
    ],
)
def test_mistakes_in_a_leaderboard_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "odd.csv").write_text(text, encoding="utf-8")
    with pytest.raises(HeadstartError, match=message):
        read_leaderboard(tmp_path / "odd.csv", 100)


def test_rows_of_one_arm_are_one_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "board.csv"
    file.write_text("arm,seed,accuracy\na,0,50\na,1,54\nb,0,51\nc,0,40\n", encoding="utf-8")
    ranks = read_leaderboard(file, 1000).ranks
    assert [(rank.name, rank.score, rank.rows) for rank in ranks] == [
        ("a", 0.52, 2),
        ("b", 0.51, 1),
        ("c", 0.4, 1),
    ]
    assert main(["power", str(file), "--test-examples", "1000"]) == 0
    assert "Rows of the same arm are averaged: a of 2." in " ".join(capfd.readouterr().out.split())


def test_the_best_of_errors_is_the_lowest(tmp_path: Path) -> None:
    file = tmp_path / "board.csv"
    file.write_text("arm,error_rate,note\na,0.5,x\nb,0.3,x\nc,0.31,x\n", encoding="utf-8")
    board = read_leaderboard(file, 1000, metric="error_rate")
    assert [rank.name for rank in board.ranks] == ["b", "c", "a"]
    assert [rank.difference for rank in board.ranks] == pytest.approx([0.0, 0.01, 0.2])
    assert [rank.is_noise for rank in board.ranks] == [True, True, False]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{study} --accuracy 70", "--accuracy: 70 is not used: variances measured in {study}"),
        ("{study} --disagree 3", "--disagree: 3 is not used"),
        ("{study} --disagree-stays 3", "--disagree-stays: 3 is not used"),
        ("{study} --seed-std 3", "--seed-std: 3 is not used"),
        ("{board} --test-examples 100 --accuracy 70", "--accuracy: 70 is not used: {board} holds single"),
        ("{board} --test-examples 100 --seeds 3", "--seeds: 3 is not used"),
        ("{board} --test-examples 100 --control a", "--control: a is not used"),
        ("--test-examples 100 --metric f1", "--metric: f1 is not used: it needs a study"),
    ],
)
def test_what_would_be_ignored_is_refused(
    words: str, message: str, board: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    places = {"study": tmp_path, "board": board}
    assert main(["power", *words.format(**places).split()]) == 2
    told = capfd.readouterr().err
    assert message.format(**places) in told
    assert "fix: leave out --" in told


@pytest.mark.parametrize("words", [[], ["--difference", "2"], ["--test-examples", "100"]])
def test_a_source_that_is_not_there_is_named(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["power", str(tmp_path / "nope"), *words]) == 2
    assert f"{tmp_path / 'nope'}: no such file or folder" in capfd.readouterr().err
