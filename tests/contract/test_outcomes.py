"""Runs that failed or collapsed are said by `run` and `compare`, and are in what they write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from headstart.cli import main

StudyFile = Callable[..., Path]


@pytest.fixture
def shown(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command line, which must succeed; gives what it shows, in one line."""

    def show(*words: object) -> str:
        capfd.readouterr()
        assert main([str(word) for word in words]) == 0
        return " ".join(capfd.readouterr().out.split())

    return show


@pytest.fixture
def dead(study_file: StudyFile) -> Path:
    """An arm that learns, and one whose rate lets it learn nothing; half of the test is of either class."""
    arms = {
        "pretrained": {"training": {"epochs": 20, "learning_rate": 5e-3}},
        "random": {"init": "random", "training": {"learning_rate": 1e-12}},
        "words": None,
    }
    return study_file(arms=arms, seeds=[0, 1, 2], confounded=True)


def test_runs_that_collapsed(
    dead: Path, shown: Callable[..., str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(dead)]) == 0
    told = capfd.readouterr()
    ends = [line for line in told.err.splitlines() if line.startswith("random/all/") and "test" in line]
    assert len(ends) == 3
    assert all("; collapsed: " in line for line in ends)
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    by_arm = {row["arm"]: row for row in results["outcomes"]}
    assert (by_arm["random"]["n_collapsed"], by_arm["pretrained"]["n_collapsed"]) == (3, 0)
    assert (by_arm["random"]["majority"], by_arm["random"]["collapse"]["random_init"]) == (0.5, True)
    wilson = stats.binomtest(3, 3).proportion_ci(method="wilson")
    assert by_arm["random"]["collapsed_low"] == pytest.approx(wilson.low)
    assert all((run["arm"] == "random") == (run["collapse"] is not None) for run in results["runs"])
    (warning,) = (one["message"] for one in results["warnings"] if one["kind"] == "collapsed")
    assert warning.startswith("random collapsed in 3 of 3 runs")
    assert "at learning rate 1e-12 nothing has been learnt yet" in warning
    contrast = next(row for row in results["contrasts"] if row["metric"] == "accuracy")
    assert (contrast["verdict"], contrast["n_control_collapsed"]) == ("better", 3)
    screens = [" ".join(told.out.split()), shown("compare", tmp_path / "out", "--all")]
    assert all("pretrained is better than random, but random collapsed in 3 of 3" in one for one in screens)
    assert all("better†" in screen for screen in screens)
    assert re.search(r"random .* (?:[\d.]+† +){3} +control", told.out)  # each seed, in the table of `run`
    compared = json.loads(shown("compare", tmp_path / "out", "--json"))
    assert compared["outcomes"] == results["outcomes"]
    assert [one["message"] for one in compared["warnings"]] == [warning]
    power = json.loads(shown("power", tmp_path / "out", "--json"))
    assert [one["message"] for one in power["warnings"]] == [warning]
    cards = [tmp_path / "out" / "models" / arm / "README.md" for arm in ("pretrained", "random")]
    assert ["This run collapsed" in card.read_text(encoding="utf-8") for card in cards] == [False, True]
    _check_majority(results["reference"], shown, tmp_path / "out", screens)


def _check_majority(reference: Any, shown: Callable[..., str], out: Path, screens: Sequence[str]) -> None:
    """In every table, and of a folder that does not say what its training examples were, too."""
    assert (reference["name"], reference["part"], reference["scores"]["accuracy"]) == (
        "majority",
        "train",
        0.5,
    )
    for screen in screens:
        assert f"majority: always answering {reference['answer']!r}" in screen
        assert re.search(r"majority[ │-]+50\.0 .*reference", screen)
    for style in ("--markdown", "--latex"):
        assert re.search(r"majority [|&] - [|&] 50\.0 [|&]", shown("compare", out, style))
    (out / "plan.json").unlink()
    compared = json.loads(shown("compare", out, "--json"))
    assert (compared["reference"]["part"], compared["reference"]["scores"]["accuracy"]) == ("test", 0.5)


def test_a_run_that_failed(dead: Path, shown: Callable[..., str], tmp_path: Path) -> None:
    shown("run", dead)
    record = tmp_path / "out" / "runs" / "random" / "all" / "1" / "record.json"
    failed = json.loads(record.read_text(encoding="utf-8")) | {"status": "failed", "error": "loss nan"}
    record.write_text(json.dumps(failed | {"valid": None, "test": None, "digest": None}), encoding="utf-8")
    assert "1 run failed and is excluded (1 of 3 of random)" in shown("compare", tmp_path / "out")
    outcomes = json.loads(shown("compare", tmp_path / "out", "--json"))["outcomes"]
    assert [(row["arm"], row["n_runs"], row["n_failed"]) for row in outcomes] == [
        ("pretrained", 3, 0),
        ("random", 3, 1),
    ]
