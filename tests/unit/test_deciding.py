"""Seeds on demand: rounds, the cap, what is recorded, verdicts that allow for looking, and mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headstart
from headstart import deciding
from headstart.analysis.findings import make_findings
from headstart.cli import main
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.deciding import run_until
from headstart.execute.crew import Crew
from headstart.experiment import Results
from headstart.records import RunRecord
from headstart.stats.confidence_sequence import confidence_sequence

StudyFile = Callable[..., Path]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, study_in: StudyFile) -> Path:
    """The folder of a study whose intervals may be as wide as they like: it ends with the fewest seeds."""
    folder = tmp_path_factory.mktemp("decided")
    study = load_study(study_in(folder, arms={"pretrained": {}, "random": {"init": "random"}, "words": None}))
    run_until(study, 1000)
    return folder


def test_it_ends_with_the_fewest_seeds_that_give_an_interval(decided: Path) -> None:
    assert load_study(decided / "out" / "study.yaml").seeds == tuple(range(7))
    assert json.loads((decided / "out" / "until_decided.json").read_text()) == {
        "schema_version": 2,
        "metric": "accuracy",
        "width": 1000,
        "most_seeds": 20,
    }


def test_its_verdict_is_the_sequences(decided: Path) -> None:
    facts = json.loads((decided / "out" / "results.json").read_text())
    assert facts["stopping_rule"]["width"] == 1000
    (row,) = (row for row in facts["contrasts"] if row["metric"] == "accuracy")
    gaps = [one["difference"] for one in row["each_seed"]]
    oracle = confidence_sequence(np.array(gaps))
    assert oracle == pytest.approx((row["sequence_low"], row["sequence_high"]))
    assert oracle == (min(gaps), max(gaps))
    is_clear = row["sequence_low"] > 0 or row["sequence_high"] < 0
    assert row["verdict"] == (("better" if row["difference"] > 0 else "worse") if is_clear else "undecided")


def test_run_without_the_rule_keeps_the_seeds_that_were_added(
    decided: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The study file still names one: the same command shows what there is, and plans nothing more."""
    assert len(load_study(decided / "study.yaml").seeds) == 1
    assert main(["run", str(decided / "study.yaml")]) == 0
    assert "95% at any number of seeds" in " ".join(capfd.readouterr().out.split())
    assert load_study(decided / "out" / "study.yaml").seeds == tuple(range(7))
    assert all(run["done"] for run in headstart.plan(load_study(decided / "study.yaml")).facts["runs"])


def test_compare_says_that_seeds_were_added(decided: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(decided / "out")]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "95%, anytime" in shown
    assert "p, Holm" not in shown
    assert "Seeds were added until intervals were narrower than 1000 points (at most 20 seeds)" in shown


def test_going_on_adds_to_what_is_there(
    decided: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    """A width that no interval has: it ends at the cap, with the same runs as before and two seeds more."""
    before = {path: path.read_bytes() for path in (decided / "out").glob("runs/*/all/*/record.json")}
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    file = str(study_in(decided, arms=arms))
    assert main(["run", file, "--until-decided", "1e-6", "--most-seeds", "9"]) == 0
    shown = capfd.readouterr()
    news = [line for line in shown.err.splitlines() if "the widest interval" in line]
    assert [line.split(",")[0] for line in news] == ["7 seeds", "8 seeds", "9 seeds"]
    assert all("undecided" in line and "narrower than 1e-06 wanted" in line for line in news)
    assert {path: path.read_bytes() for path in before} == before
    assert len(list((decided / "out").glob("runs/*/all/*/record.json"))) == 18


class _Trainer:
    """Stands in for training: gives differences that were drawn beforehand, and counts rounds."""

    def __init__(self, gaps: Sequence[float], at_once: int, fails_at: int | None = None) -> None:
        self.gaps, self.rounds = gaps, list[int]()
        self.crew = Crew(at_once, 1, "a stand-in")
        self.fails_at = fails_at

    def __call__(self, study: Study, watch: Any, **_: Any) -> Results:
        self.rounds.append(len(study.seeds))
        runs = [self._run(arm, seed) for seed in study.seeds for arm in study.arms]
        return Results(make_findings(study, runs, ()), Path(study.out), self.crew)

    def _run(self, arm: str, seed: int) -> RunRecord:
        value = 0.5 + (self.gaps[seed] / 100 if arm == "pretrained" else 0.0)
        failed = seed == self.fails_at
        scores = None if failed else {"accuracy": value}
        place = {
            "arm": arm,
            "size": "all",
            "seed": seed,
            "train_examples": 8,
            "status": "failed" if failed else "done",
        }
        return RunRecord.model_validate(place | {"valid": scores, "test": scores})


def study(tmp_path: Path) -> Study:
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    return Study.model_validate(
        {"data": {"path": "a.csv"}, "model": "m", "arms": arms, "out": str(tmp_path / "out")}
    )


@pytest.mark.parametrize(("at_once", "rounds"), [(1, [7, 8, 9]), (4, [7, 9])])
def test_seeds_come_as_many_at_a_time_as_train_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, rounds: list[int]
) -> None:
    trainer = _Trainer([0, 9, *[5.0, 5.1, 5.2] * 6], at_once)
    monkeypatch.setattr(deciding, "carry_on", trainer)
    run_until(study(tmp_path), 1.0, most_seeds=rounds[-1])
    assert trainer.rounds == rounds


def test_it_ends_where_every_interval_is_narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = [0, 9, *[5.0, 5.1, 5.2] * 6]
    trainer = _Trainer(gaps, 1)
    monkeypatch.setattr(deciding, "carry_on", trainer)
    said: list[str] = []
    run_until(study(tmp_path), 1.0, say=said.append)
    widths = {n: confidence_sequence(np.array(gaps[:n])) for n in range(7, 21)}
    first = next(n for n, ends in widths.items() if ends is not None and ends[1] - ends[0] < 1.0)
    assert trainer.rounds == list(range(7, first + 1))
    assert first < 20
    assert [("undecided" in line) for line in said] == [True] * (first - 7) + [False]


def test_no_seed_is_added_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _Trainer([1.0] * 20, 1, fails_at=3)
    monkeypatch.setattr(deciding, "carry_on", trainer)
    results = run_until(study(tmp_path), 0.1)
    assert trainer.rounds == [7]
    assert results.findings.failed


@pytest.mark.parametrize(
    ("changes", "words", "message"),
    [
        ({}, ["--until-decided", "0"], "expected: more than 0"),
        ({}, ["--until-decided", "1", "--most-seeds", "5"], "expected: 8 or more, for 2 contrasts"),
        ({"arms": {"pretrained": {}, "words": None}}, ["--until-decided", "1"], "nothing can be decided"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(
    tmp_path: Path,
    study_in: StudyFile,
    capfd: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    words: list[str],
    message: str,
) -> None:
    assert main(["run", str(study_in(tmp_path, **changes)), *words]) == 2
    assert message in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_it_is_a_public_name() -> None:
    assert headstart.run_until is run_until
