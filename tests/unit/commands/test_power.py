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
    assert "smallest difference" in capfd.readouterr().out
    assert power_measured(where / "out", metric="macro_f1").contrasts
    assert main(["power", str(where / "out"), "--control", "nobody"]) == 2
    assert "no arm is called 'nobody'" in capfd.readouterr().err
    for file in (where / "out").rglob("predictions.parquet"):
        file.unlink()
    with pytest.raises(HeadstartError, match="no contrast of accuracy has two seeds"):
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
    [("arm,accuracy\na,50\n", "fewer than two results"), ("arm,accuracy\na,50\nb,high\n", "score 'high'")],
)
def test_mistakes_in_a_leaderboard_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "odd.csv").write_text(text, encoding="utf-8")
    with pytest.raises(HeadstartError, match=message):
        read_leaderboard(tmp_path / "odd.csv", 100)
