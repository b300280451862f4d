"""Runs that failed or learnt nothing are said by `run` and `compare`, and are in what they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
        "pretrained": {},
        "random": {"init": "random", "training": {"learning_rate": 1e-12}},
        "words": None,
    }
    return study_file(arms=arms, seeds=[0, 1, 2], confounded=True)


def test_runs_that_learnt_nothing(dead: Path, shown: Callable[..., str], tmp_path: Path) -> None:
    said = shown("run", dead)
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    by_arm = {row["arm"]: row for row in results["outcomes"]}
    values = [run["test"]["accuracy"] for run in results["runs"] if run["arm"] == "random"]
    count = sum(value <= 0.5 for value in values)
    assert count > 0  # else the study is no example
    assert by_arm["random"]["n_collapsed"] == count
    assert by_arm["random"]["majority"] == 0.5
    ends = stats.binomtest(count, 3).proportion_ci(method="wilson")
    assert by_arm["random"]["collapsed_high"] == pytest.approx(ends.high)
    sentence = (
        f"random did not learn (at or below the majority class, 50.0%) in {count} of 3 runs "
        f"(95%: {100 * ends.low:.0f} to {100 * ends.high:.0f}% of such runs)."
    )
    assert sentence in said
    assert sentence in shown("compare", tmp_path / "out")
    compared = json.loads(shown("compare", tmp_path / "out", "--json"))
    assert compared["outcomes"] == results["outcomes"]
    row = next(row for row in results["summary"] if (row["arm"], row["metric"]) == ("random", "accuracy"))
    assert row["median"] == sorted(values)[1]
    assert row["iqm"] == pytest.approx(sum(values) / 3)


def test_a_run_that_failed(dead: Path, shown: Callable[..., str], tmp_path: Path) -> None:
    shown("run", dead)
    record = tmp_path / "out" / "runs" / "random" / "all" / "1" / "record.json"
    failed = json.loads(record.read_text(encoding="utf-8")) | {"status": "failed", "error": "loss nan"}
    record.write_text(json.dumps(failed | {"valid": None, "test": None, "digest": None}), encoding="utf-8")
    assert "1 run failed and is in no figure (1 of 3 of random)" in shown("compare", tmp_path / "out")
    outcomes = json.loads(shown("compare", tmp_path / "out", "--json"))["outcomes"]
    assert [(row["arm"], row["n_runs"], row["n_failed"]) for row in outcomes] == [
        ("pretrained", 3, 0),
        ("random", 3, 1),
    ]
