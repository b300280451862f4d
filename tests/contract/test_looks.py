"""A study that grows by hand, through the command line: looks are logged, said, and allowed for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main

StudyFile = Callable[..., Path]
ARMS: dict[str, Any] = {"pretrained": {}, "random": {"init": "random"}, "words": None}
SAID = "Results were already inspected with 2 and with 3 seeds: verdicts and intervals allow for 3 looks."


def run(file: Path, capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """What a call shows on standard output, with single spaces."""
    assert main(["run", str(file), *words]) == 0
    return " ".join(capfd.readouterr().out.split())


def compare(capfd: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["compare", *words, "--json"]) == 0
    return dict(json.loads(capfd.readouterr().out))


def results(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "results.json").read_text(encoding="utf-8")))


def test_looks_at_a_study_that_grows_are_logged_said_and_allowed_for(
    tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    file, out = study_in(tmp_path, arms=ARMS), tmp_path / "out"
    for seeds in (2, 3):
        run(file, capfd, f"seeds={seeds}")
    (out / "runs" / "random" / "all" / "1" / "record.json").unlink()
    run(file, capfd, "seeds=3")  # redone with the same seeds: no look
    assert main(["compare", str(out)]) == 0  # reads what is there: no look
    shown = run(file, capfd, "seeds=5")
    assert SAID in shown
    assert "for 3 looks" in shown.split(SAID)[0]
    logged = json.loads((out / "looks.json").read_text(encoding="utf-8"))["looks"]
    assert [len(look["seeds"]) for look in logged] == [2, 3, 5]
    assert results(out)["looks"] == logged

    compared = compare(capfd, str(out))
    assert [len(look["seeds"]) for look in compared["earlier_looks"]] == [2, 3]
    assert compared["contrasts"] == [row for row in results(out)["contrasts"] if row["metric"] == "accuracy"]
    assert [row["n_looks"] for row in compared["contrasts"]] == [3]
    assert main(["compare", str(out)]) == 0
    assert SAID in " ".join(capfd.readouterr().out.split())

    at_once = tmp_path / "once"
    assert SAID not in run(file, capfd, "seeds=5", f"out={at_once}")
    once = results(at_once)["contrasts"][0]
    grown = results(out)["contrasts"][0]
    assert (once["low"], once["high"], once["p"]) == (grown["low"], grown["high"], grown["p"])
    assert grown["family_low"] < once["family_low"] < once["family_high"] < grown["family_high"]

    both = compare(capfd, str(at_once), str(out))
    assert {row["n_looks"] for row in both["contrasts"]} == {3}, "the larger number of looks"
    assert [len(look["seeds"]) for look in both["earlier_looks"]] == [2, 3]


def test_more_arms_at_the_same_seeds_are_no_look(
    tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    run(study_in(tmp_path, arms=ARMS, control="random"), capfd, "seeds=2")
    more = ARMS | {"again": {}}
    run(study_in(tmp_path, arms=more, control="random"), capfd, "seeds=2")
    values = results(tmp_path / "out")
    assert len(values["looks"]) == 1
    assert {
        (row["n_tests"], row["n_looks"]) for row in values["contrasts"] if row["metric"] == "accuracy"
    } == {(2, 1)}


def test_a_folder_of_an_earlier_version_has_been_looked_at(
    tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has results and no log of looks."""
    file, out = study_in(tmp_path, arms=ARMS), tmp_path / "out"
    run(file, capfd, "seeds=2")
    (out / "looks.json").unlink()
    values = {key: value for key, value in results(out).items() if key != "looks"}
    (out / "results.json").write_text(json.dumps(values), encoding="utf-8")
    assert "with 2 seeds: verdicts and intervals allow for 2 looks" in run(file, capfd, "seeds=3")
    assert [len(look["seeds"]) for look in results(out)["looks"]] == [2, 3]


def test_a_margin_that_is_changed_after_the_results_is_said_to_be(
    tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    file, out = study_in(tmp_path, arms=ARMS, margin=1.0), tmp_path / "out"
    after = "The margin, 2 points, was set after the results: verdicts that use it are exploratory."
    assert "stated after" not in run(file, capfd, "seeds=2")
    assert results(out)["margin"] == {"value": 1.0, "stated": "before the results"}

    file = study_in(tmp_path, arms=ARMS, margin=2.0)
    assert after in run(file, capfd, "seeds=2")
    assert results(out)["margin"] == {"value": 2.0, "stated": "after the results"}
    assert main(["compare", str(out)]) == 0
    assert after in " ".join(capfd.readouterr().out.split())

    assert after in run(file, capfd, "seeds=3"), "more seeds do not make it a forethought"
    assert [look["margin"] for look in results(out)["looks"]] == [1.0, 2.0]
