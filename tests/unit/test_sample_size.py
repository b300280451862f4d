"""`headstart power`: from assumptions, from a study that was run, and of a leaderboard of single results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart.cli import main
from headstart.errors import HeadstartError
from headstart.sample_size import leaderboard, power_assumed, power_measured

StudyFile = Callable[..., Path]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """60 single results, the best five 1.8 points apart, near 50% right."""
    draws = np.random.default_rng(0)
    scores = [51.8, 51.4, 50.9, 50.4, 50.0, *np.sort(draws.uniform(40, 49.5, 55))[::-1]]
    rows = "".join(f"model-{i},{score:.2f}\n" for i, score in enumerate(scores))
    (tmp_path / "board.csv").write_text("arm,accuracy\n" + rows, encoding="utf-8")
    return tmp_path / "board.csv"


def test_none_of_the_top_five_gaps_is_more_than_noise(board: Path, capfd: pytest.CaptureFixture[str]) -> None:
    limit, ranks = leaderboard(board, 1319)
    assert 100 * limit == pytest.approx(3.8, abs=0.05)
    assert [rank.name for rank in ranks] == [f"model-{i}" for i in range(5)]
    assert all(rank.is_noise for rank in ranks)
    assert main(["power", str(board), "--texts", "1319"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "below 3.8 points" in shown
    assert "model-4 50.0 1.8 yes" in shown


def test_more_texts_or_more_agreement_tell_more_apart(board: Path) -> None:
    assert leaderboard(board, 1319, disagree=10)[0] < leaderboard(board, 1319)[0]
    assert not leaderboard(board, 100_000)[1][-1].is_noise


def test_assumptions_are_in_points(capfd: pytest.CaptureFixture[str]) -> None:
    one = power_assumed(texts=2000, seeds=5, gap=2.0, accuracy=80, disagree=10, seed_std=0.5)
    assert one.parts.texts == pytest.approx(0.1)
    assert one.facts["gap"] == pytest.approx(0.02)
    words = [
        "--texts",
        "2000",
        "--seeds",
        "5",
        "--gap",
        "2",
        "--disagree",
        "10",
        "--seed-std",
        "0.5",
        "--json",
    ]
    assert main(["power", *words]) == 0
    (facts,) = json.loads(capfd.readouterr().out)["contrasts"]
    assert facts == json.loads(json.dumps(one.facts))


def test_it_says_which_of_the_two_binds(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--texts", "200", "--gap", "2", "--seed-std", "0.1"]) == 0
    shown = capfd.readouterr().out
    assert "the texts bind" in shown
    assert "no number of seeds is enough" in shown
    assert main(["power", "--texts", "100000", "--gap", "2", "--seed-std", "5"]) == 0
    assert "the seeds bind" in capfd.readouterr().out


def test_a_study_that_was_run_has_measured_variances(
    tmp_path_factory: pytest.TempPathFactory, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path_factory.mktemp("measured")
    headstart.run(headstart.load_study(study_in(where, seeds=[0, 1, 2])))
    metric, found = power_measured(where / "out", gap=5.0)
    assert metric == "accuracy"
    assert {one.name for one in found} <= {"pretrained - random", "words - random"}
    assert all(one.texts == 24 and one.seeds == 3 for one in found)
    assert found[0].facts["gap"] == 0.05
    assert main(["power", str(where / "out"), "--gap", "5"]) == 0
    assert "smallest difference" in capfd.readouterr().out
    assert power_measured(where / "out", metric="macro_f1")[1]
    for file in (where / "out").rglob("predictions.parquet"):
        file.unlink()
    with pytest.raises(HeadstartError, match="no contrast of accuracy has two seeds"):
        power_measured(where / "out")


@pytest.mark.parametrize("words", [[], ["--gap", "2"]])
def test_texts_are_asked_for(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", *words]) == 2
    assert "--texts N" in capfd.readouterr().err


def test_a_leaderboard_needs_its_texts(board: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["power", str(board)]) == 2
    assert "the number of test texts is needed" in capfd.readouterr().err
