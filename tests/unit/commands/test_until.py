"""Seeds on demand: rounds, the cap, what is recorded, verdicts that allow for looking, and mistakes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ville

import headstart
from headstart.analysis.findings import make_findings
from headstart.cli import main
from headstart.commands import until
from headstart.commands.until import run_until
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.experiment import Results
from headstart.planning.placement import Placement
from headstart.records import RunRecord

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


def _is_excluded(median: float, differences: Sequence[float]) -> bool:
    """Whether ville's sequential test of a fair coin rejects this median, however ties are counted."""
    values = np.array(differences)
    signs = (values > median, values >= median)
    tests = [ville.BernoulliTest(0.5, alpha=0.05, prior=(0.5, 0.5)).fit(sign * 1.0) for sign in signs]
    return all(float(test.log_e_values_[-1]) >= math.log(20) for test in tests)


def _villes_interval(differences: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest difference that is not excluded as the median."""
    kept = [difference for difference in differences if not _is_excluded(difference, differences)]
    return min(kept), max(kept)


def test_its_interval_and_verdict_are_those_of_villes_test(decided: Path) -> None:
    results = json.loads((decided / "out" / "results.json").read_text())
    assert results["stopping_rule"]["width"] == 1000
    (row,) = (row for row in results["contrasts"] if row["metric"] == "accuracy")
    differences = [of_seed["difference"] for of_seed in row["each_seed"]]
    assert len(set(differences)) > 1, "equal differences would say nothing"
    assert (row["sequence_low"], row["sequence_high"]) == pytest.approx(_villes_interval(differences))
    sign = "better" if np.mean(differences) > 0 else "worse"
    assert row["verdict"] == (sign if _is_excluded(0.0, differences) else "undecided")


def test_run_without_the_rule_keeps_the_seeds_that_were_added(
    decided: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The study file still names one: the same command shows what there is, and plans nothing more."""
    assert len(load_study(decided / "study.yaml").seeds) == 1
    assert main(["run", str(decided / "study.yaml")]) == 0
    assert "95% at any number of seeds" in " ".join(capfd.readouterr().out.split())
    assert load_study(decided / "out" / "study.yaml").seeds == tuple(range(7))
    assert headstart.plan(load_study(decided / "study.yaml")).cost.groups == ()


def test_compare_says_that_seeds_were_added(decided: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(decided / "out")]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "95%, anytime" in shown
    assert "p, Holm" not in shown
    assert "Seeds were added until intervals were narrower than 1000 points (at most 20 seeds)" in shown


def test_running_again_adds_to_the_seeds_that_are_there(
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


@dataclass(frozen=True)
class _Opened:
    """Stands in for a study that was opened: nothing is prepared and nothing missing."""

    study: Study
    prepared: None = None
    store: None = None
    missing: tuple[()] = ()
    to_come: tuple[()] = ()

    def with_seeds(self, seeds: tuple[int, ...]) -> _Opened:
        """The same with other seeds."""
        return _Opened(self.study.model_copy(update={"seeds": seeds}))


class _Trainer:
    """Stands in for training: gives differences that were drawn beforehand, and counts rounds."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        differences: Sequence[float],
        at_once: int,
        fails_at: int | None = None,
    ) -> None:
        self.differences, self.rounds = differences, list[int]()
        self.placement = Placement(at_once, 1, "a stand-in")
        self.given: list[Placement | None] = []
        self.fails_at = fails_at
        monkeypatch.setattr(until, "preload_workers", lambda: None)
        monkeypatch.setattr(until, "open_study", lambda study, *_: _Opened(study))
        monkeypatch.setattr(until, "run_missing", self.train)

    def train(
        self, opened: _Opened, backend: object, on_event: object, placement: Placement | None
    ) -> Results:
        """A round."""
        study = opened.study
        self.rounds.append(len(study.seeds))
        self.given.append(placement)
        runs = [self._run(arm, seed) for seed in study.seeds for arm in study.arms]
        return Results(make_findings(study, runs, ()), Path(study.out), self.placement)

    def _run(self, arm: str, seed: int) -> RunRecord:
        value = 0.5 + (self.differences[seed] / 100 if arm == "pretrained" else 0.0)
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
    trainer = _Trainer(monkeypatch, [0, 9, *[5.0, 5.1, 5.2] * 6], at_once)
    begun: list[int] = []
    run_until(study(tmp_path), 1.0, on_begin=begun.append, most_seeds=rounds[-1])
    assert trainer.rounds == rounds
    assert len(begun) == len(rounds)
    assert trainer.given == [None, *[trainer.placement] * (len(rounds) - 1)], "it is chosen once"


def test_it_ends_where_every_interval_is_narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    differences = [0, 9, *[5.0, 5.1, 5.2] * 6]
    trainer = _Trainer(monkeypatch, differences, 1)
    logged: list[str] = []
    run_until(study(tmp_path), 1.0, log=logged.append)
    ends = {n: _villes_interval(differences[:n]) for n in range(7, 21)}
    first = next(n for n, (low, high) in ends.items() if high - low < 1.0)
    assert trainer.rounds == list(range(7, first + 1))
    assert 7 < first < 20
    assert [("undecided" in line) for line in logged] == [True] * (first - 7) + [False]


def test_no_seed_is_added_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _Trainer(monkeypatch, [1.0] * 20, 1, fails_at=3)
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


# What is done once


def test_everything_is_prepared_and_read_once_however_many_rounds(
    tmp_path: Path, study_in: StudyFile, counts: Callable[..., dict[str, int]]
) -> None:
    """Three rounds, of 7, 8 and 9 seeds, by one worker process; a second call trains two seeds more."""
    loaded = load_study(
        study_in(tmp_path, arms={"pretrained": {}, "random": {"init": "random"}, "words": None})
    )
    loaded = loaded.model_copy(update={"workers": 1})
    calls = counts()
    run_until(loaded, 1e-6, most_seeds=9)
    assert calls["workers started"] == 1
    assert (calls["data loaded"], calls["checkpoints opened"], calls["studies prepared"]) == (1, 1, 1)
    assert calls["records parsed"] == 0, "those that end are told of"
    assert calls["predictions read"] == 18
    again = counts()
    run_until(loaded, 1e-6, most_seeds=11)
    assert (again["records parsed"], again["predictions read"]) == (18, 22)
    assert (again["studies prepared"], again["workers started"]) == (1, 1)
