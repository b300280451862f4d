"""Seeds on demand: rounds, the cap, what is recorded, verdicts that allow for looking, and mistakes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import ville
from scipy import stats

import headstart
from headstart.analysis.findings import make_findings
from headstart.analysis.results import Results
from headstart.cli import main
from headstart.commands import until
from headstart.commands.until import run_until, select_decided
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.events import Log, ignore_log
from headstart.planning.placement import Placement
from headstart.records import RunRecord, StoppingRule
from headstart.report.conclusions import draw_conclusions
from headstart.report.study_summary import render_study_summary
from headstart.stats.sequential import find_min_seeds
from headstart.stats.t_sequence import compute_t_sequence
from studies import rendered_lines

StudyFile = Callable[..., Path]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, study_in: StudyFile) -> Path:
    """The folder of a study whose interval may be as wide as it likes: it ends with the fewest seeds."""
    folder = tmp_path_factory.mktemp("decided")
    study = load_study(study_in(folder, arms={"pretrained": {}, "random": {"init": "random"}, "words": None}))
    run_until(study, 1000)
    return folder


def test_it_ends_with_the_fewest_seeds_that_give_an_interval(decided: Path) -> None:
    assert load_study(decided / "out" / "study.yaml").seeds == tuple(range(8))
    assert json.loads((decided / "out" / "until_decided.json").read_text()) == {
        "schema_version": 2,
        "metric": "accuracy",
        "width": 1000,
        "most_seeds": 20,
        "sequence": "signs",
    }


def _is_excluded(median: float, differences: Sequence[float], alpha: float = 0.05) -> bool:
    """Whether ville's sequential test of a fair coin rejects this median, however ties are counted."""
    values = np.array(differences)
    signs = (values > median, values >= median)
    tests = [ville.BernoulliTest(0.5, alpha=alpha, prior=(0.5, 0.5)).fit(sign * 1.0) for sign in signs]
    return all(float(test.log_e_values_[-1]) >= -math.log(alpha) for test in tests)


def _villes_interval(differences: Sequence[float], alpha: float = 0.05) -> tuple[float, float]:
    """From the least to the greatest difference that is not excluded as the median."""
    kept = [difference for difference in differences if not _is_excluded(difference, differences, alpha)]
    return min(kept), max(kept)


def _read_right(out: Path, arm: str) -> np.ndarray:
    """Right and wrong [S, N] of the arm's eight runs."""
    files = (out / "runs" / arm / "all" / str(seed) / "predictions.parquet" for seed in range(8))
    tables = [pq.read_table(file).to_pydict() for file in files]
    return np.array([np.array(table["label"]) == np.array(table["predicted"]) for table in tables], float)


def test_its_interval_is_villes_at_half_the_chance_widened_by_the_test_examples(decided: Path) -> None:
    results = json.loads((decided / "out" / "results.json").read_text())
    assert results["stopping_rule"]["width"] == 1000
    (row,) = (row for row in results["contrasts"] if row["metric"] == "accuracy")
    table = _read_right(decided / "out", row["arm"]) - _read_right(decided / "out", row["control"])
    differences = [of_seed["difference"] for of_seed in row["each_seed"]]
    assert differences == pytest.approx(table.mean(1))
    assert len(set(differences)) > 1, "equal differences would say nothing"
    assert row["median_difference"] == pytest.approx(np.median(differences))
    n_seeds, n_examples = table.shape
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    residual = (rest**2).sum() / (n_seeds - 1) / (n_examples - 1)
    variance = max(n_seeds * table.mean(0).var(ddof=1) - residual, 0) / table.size
    reach = stats.t.ppf(1 - 0.025 / 2, n_examples - 1) * math.sqrt(variance)
    low, high = _villes_interval(differences, 0.025)
    assert (row["sequence_low"], row["sequence_high"]) == pytest.approx((low - reach, high + reach))
    sign = "better" if low > reach else "worse" if high < -reach else "undecided"
    assert row["verdict"] == sign


def test_run_without_the_rule_keeps_the_seeds_that_were_added(
    decided: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The study file still names one: the same command shows what there is, and plans nothing more."""
    assert len(load_study(decided / "study.yaml").seeds) == 1
    assert main(["run", str(decided / "study.yaml")]) == 0
    assert "95% at any number of seeds" in " ".join(capfd.readouterr().out.split())
    assert load_study(decided / "out" / "study.yaml").seeds == tuple(range(8))
    assert headstart.plan(load_study(decided / "study.yaml")).cost.groups == ()


def test_compare_says_that_seeds_were_added(
    decided: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["compare", str(decided / "out"), "--all"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "95% CI, anytime" in shown
    assert "p, Holm" not in shown
    assert (
        "Seeds were added until each contrast was decided, or its interval narrower than 1000 points" in shown
    )
    assert "median" in shown
    assert "for other seeds and test examples" in shown


def test_running_again_adds_to_the_seeds_that_are_there(
    decided: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that nothing settles: it ends at the cap, with the same runs as before and two seeds more."""
    monkeypatch.setattr(until, "_DECIDED", frozenset())
    before = {path: path.read_bytes() for path in (decided / "out").glob("runs/*/all/*/record.json")}
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    file = str(study_in(decided, arms=arms))
    assert main(["run", file, "--until-decided", "1e-6", "--most-seeds", "10"]) == 0
    shown = capfd.readouterr()
    news = [line for line in shown.err.splitlines() if "interval, pretrained vs random" in line]
    assert [line.split(",")[0] for line in news] == ["8 seeds", "9 seeds", "10 seeds"]
    assert all("0 of 1 decided" in line and "target: narrower than 1e-06" in line for line in news)
    assert {path: path.read_bytes() for path in before} == before
    assert len(list((decided / "out").glob("runs/*/all/*/record.json"))) == 20


def test_the_t_sequence_is_asked_for_and_its_assumption_named(
    tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    file = study_in(tmp_path, arms={"pretrained": {}, "random": {"init": "random"}, "words": None})
    assert main(["run", str(file), "--until-decided", "1000", "--sequence", "t"]) == 0
    assert "if differences are normal" in " ".join(capfd.readouterr().out.split())
    assert load_study(tmp_path / "out" / "study.yaml").seeds == tuple(range(6))
    rule = json.loads((tmp_path / "out" / "until_decided.json").read_text(encoding="utf-8"))
    assert (rule["sequence"], rule["most_seeds"]) == ("t", 20)
    assert main(["compare", str(tmp_path / "out")]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "of the mean, on the assumption that differences over seeds are normal (a t e-process)" in shown
    assert "median" not in shown


def test_another_sequence_cannot_be_chosen_by_the_results(
    decided: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(study_in(decided, arms={"pretrained": {}, "random": {"init": "random"}, "words": None}))
    assert main(["run", file, "--until-decided", "5", "--sequence", "t"]) == 2
    shown = " ".join(capfd.readouterr().err.split())
    assert "t, but seeds were added with signs before" in shown
    assert "name another folder: out=FOLDER" in shown


@dataclass(frozen=True)
class _Opened:
    """Stands in for a study that was opened: nothing is prepared and nothing missing."""

    study: Study
    rule: StoppingRule
    prepared: None = None
    store: None = None
    missing: tuple[()] = ()
    to_come: tuple[()] = ()
    log: Log = ignore_log

    def read_predictions(self, key: str, metric: str) -> None:
        """There are none."""

    def with_seeds(self, seeds: tuple[int, ...]) -> _Opened:
        """The same with other seeds."""
        return replace(self, study=self.study.model_copy(update={"seeds": seeds}))


@contextmanager
def _open_nothing(opened: _Opened, trainers: object, log: Log) -> Iterator[tuple[_Opened, None]]:
    """No backend."""
    yield opened, None


class _Trainer:
    """Stands in for training: gives differences that were drawn beforehand, and counts rounds."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        differences: Sequence[float] | Mapping[str, Sequence[float]],
        at_once: int,
        fails_at: int | None = None,
    ) -> None:
        self.differences, self.rounds = differences, list[int]()
        self.placement = Placement(at_once, 1, "a stand-in")
        self.given: list[Placement | None] = []
        self.fails_at = fails_at
        monkeypatch.setattr(until, "prepare_backend", lambda study, trainers: None)
        monkeypatch.setattr(until, "open_backend", _open_nothing)
        monkeypatch.setattr(
            until, "open_study", lambda study, log, rule, fence: _Opened(study, rule, log=log)
        )
        monkeypatch.setattr(until, "run_missing", self.train)

    def train(
        self, opened: _Opened, backend: object, on_event: object, placement: Placement | None
    ) -> Results:
        """A round."""
        study = opened.study
        self.rounds.append(len(study.seeds))
        self.given.append(placement)
        runs = [self._run(arm, seed) for seed in study.seeds for arm in study.arms]
        findings = make_findings(study, runs, (), stopping_rule=opened.rule)
        return Results(findings, Path(study.out), self.placement)

    def _run(self, arm: str, seed: int) -> RunRecord:
        of_arms = self.differences
        by_arm = of_arms if isinstance(of_arms, Mapping) else {"pretrained": of_arms}
        value = 0.5 + (by_arm[arm][seed] / 100 if arm in by_arm else 0.0)
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


def study(tmp_path: Path, **changes: Any) -> Study:
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    values = {"data": {"path": "a.csv"}, "model": "m", "arms": arms, "out": str(tmp_path / "out")}
    return Study.model_validate(values | changes)


#: Between arms that may be equal: wide at first, then ever more seeds near zero.
NEAR_ZERO = [-3.0, 4.0, *[0.2, -0.1, -0.3, 0.1] * 6]


@pytest.mark.parametrize(("at_once", "rounds"), [(1, [8, 9, 10]), (4, [8, 10])])
def test_seeds_come_as_many_at_a_time_as_train_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, rounds: list[int]
) -> None:
    trainer = _Trainer(monkeypatch, NEAR_ZERO, at_once)
    begun: list[int] = []
    run_until(study(tmp_path), 0.1, on_begin=begun.append, most_seeds=rounds[-1])
    assert trainer.rounds == rounds
    assert len(begun) == len(rounds)
    assert trainer.given == [None, *[trainer.placement] * (len(rounds) - 1)], "it is chosen once"


def test_it_ends_where_every_interval_is_narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _Trainer(monkeypatch, NEAR_ZERO, 1)
    logged: list[str] = []
    results = run_until(study(tmp_path), 1.0, log=logged.append)
    ends = {n: _villes_interval(NEAR_ZERO[:n]) for n in range(8, 21)}
    first = next(n for n, (low, high) in ends.items() if high - low < 1.0)
    assert trainer.rounds == list(range(8, first + 1))
    assert 8 < first < 20
    assert ["0 of 1 decided" in line for line in logged] == [True] * (first - 8) + [False]
    assert results.findings.contrasts[0].verdict == "undecided"


def test_it_ends_where_zero_is_outside_however_wide_intervals_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten points apart, deviation 1.5, four contrasts: 20 seeds and "undecided" when only width counted."""
    draws, names = np.random.default_rng(0), [f"arm{i}" for i in range(4)]
    trainer = _Trainer(monkeypatch, {name: list(draws.normal(10, 1.5, size=20)) for name in names}, 1)
    arms: dict[str, Any] = {name: {} for name in names} | {"random": {"init": "random"}, "words": None}
    logged: list[str] = []
    results = run_until(study(tmp_path, arms=arms, control="random", confounded=True), 0.5, log=logged.append)
    assert trainer.rounds == [find_min_seeds(4)] == [10]
    assert {row.verdict for row in select_decided(results.findings)} == {"better"}
    assert logged[-1].startswith("10 seeds, 4 of 4 decided: the widest interval, ")


def test_it_ends_where_intervals_lie_within_the_margin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _Trainer(monkeypatch, NEAR_ZERO, 1)
    results = run_until(study(tmp_path, margin=3.5), 0.1)
    ends = {n: _villes_interval(NEAR_ZERO[:n]) for n in range(8, 21)}
    first = next(n for n, (low, high) in ends.items() if low > -3.5 and high < 3.5)
    assert trainer.rounds == list(range(8, first + 1))
    assert first < 20
    assert {row.verdict for row in select_decided(results.findings)} == {"no difference"}


def test_not_worse_is_not_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the arm is better is still open."""
    trainer = _Trainer(monkeypatch, [-0.5, 9.0, *[4.0, -0.2] * 10], 1)
    results = run_until(study(tmp_path, margin=1.0), 0.1, most_seeds=12)
    assert trainer.rounds == list(range(8, 13))
    assert {row.verdict for row in select_decided(results.findings)} == {"not worse"}


def test_with_the_t_sequence_fewer_seeds_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    differences = list(np.random.default_rng(0).normal(10, 1.5, size=20))
    trainer = _Trainer(monkeypatch, differences, 1)
    results = run_until(study(tmp_path), 0.5, sequence="t")
    assert trainer.rounds == [find_min_seeds(sequence="t")] == [6]
    (row,) = select_decided(results.findings)
    ends = compute_t_sequence(np.array([of_seed.difference for of_seed in row.each_seed]))
    assert (row.sequence_low, row.sequence_high) == pytest.approx(ends)
    (sentence, *_) = draw_conclusions(results.findings)
    assert "if differences are normal" in sentence
    assert f"by {100 * row.difference:.1f} points" in sentence


def test_the_median_stands_beside_the_medians_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 16 seeds 14 are a point above and two collapsed: the mean, -2.8, is no part of "+0.9 to +1.2"."""
    differences = [-30.0, 1.0, 1.1, 0.9, 1.0, -29.0, 1.2, *[1.0, 1.1, 0.95] * 3]
    _Trainer(monkeypatch, differences, 1)
    results = run_until(study(tmp_path, seeds=16), 0.1, most_seeds=16)
    (row,) = select_decided(results.findings)
    assert row.difference == pytest.approx(np.mean(differences) / 100)
    assert row.difference < -0.025
    assert row.median_difference == pytest.approx(0.01)
    assert row.verdict == "better"
    lines = rendered_lines(render_study_summary(results.findings, results.out))
    shown = " ".join(lines)
    assert "+1.0 [+0.9, +1.1] better" in shown
    assert "vs random, points, median" in shown
    assert "pretrained beats random by a median of 1.0 points: means 47.2% vs 50.0%" in shown
    assert "-2.8" not in shown


def test_no_seed_is_added_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _Trainer(monkeypatch, NEAR_ZERO, 1, fails_at=3)
    results = run_until(study(tmp_path), 0.1)
    assert trainer.rounds == [8]
    assert results.findings.failed


@pytest.mark.parametrize(
    ("changes", "words", "message"),
    [
        ({}, ["--until-decided", "0"], "expected: more than 0"),
        ({}, ["--until-decided", "1", "--most-seeds", "5"], "expected: 9 or more, for 2 contrasts"),
        ({}, ["--most-seeds", "40"], "expected: --until-decided POINTS as well"),
        ({}, ["--sequence", "t"], "expected: --until-decided POINTS as well"),
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
    tmp_path: Path,
    study_in: StudyFile,
    counts: Callable[..., dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three rounds, of 8, 9 and 10 seeds, by one worker process; a second call trains two seeds more."""
    monkeypatch.setattr(until, "_DECIDED", frozenset())
    loaded = load_study(
        study_in(tmp_path, arms={"pretrained": {}, "random": {"init": "random"}, "words": None})
    )
    loaded = loaded.model_copy(update={"workers": 1})
    calls = counts()
    run_until(loaded, 1e-6, most_seeds=10)
    assert calls["workers started"] == 1
    assert (calls["data loaded"], calls["checkpoints opened"], calls["studies prepared"]) == (1, 1, 1)
    assert calls["records parsed"] == 0, "those that end are told of"
    assert calls["predictions read"] == 20
    again = counts()
    run_until(loaded, 1e-6, most_seeds=12)
    assert (again["records parsed"], again["predictions read"]) == (20, 24)
    assert (again["studies prepared"], again["workers started"]) == (1, 1)
