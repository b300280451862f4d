"""Arms tuned by seeds of their own, end to end: the grid trains, then what is judged, and it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from headstart import load_study, plan, run, run_until
from headstart.analysis.results import Results
from headstart.cli import main
from headstart.events import Event, RunEnded, RunStarted

StudyFile = Callable[..., Path]
ARMS = {"pretrained": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
#: The first learns next to nothing in two epochs, the second does.
LOW, HIGH = 1e-7, 3e-3
TUNING = {
    f"{arm}/all/tuning-{seed}/learning_rate={rate:g}"
    for arm in ("pretrained", "random")
    for seed in (1000, 1001)
    for rate in (LOW, HIGH)
}
JUDGED = {f"{arm}/all/{seed}/learning_rate=0.003" for arm in ("pretrained", "random") for seed in (0, 1)}


def write(study_in: StudyFile, folder: Path, **changes: Any) -> Path:
    """A study of two rates, two arms, two seeds that choose by default and two that judge."""
    training = {"epochs": 2, "batch_size": 8, "precision": "fp32"}
    tune = {"learning_rate": [LOW, HIGH]}
    return study_in(
        folder,
        **(
            {"arms": ARMS, "seeds": 2, "training": training, "tune": tune, "curves": ["valid", "test"]}
            | changes
        ),
    )


@pytest.fixture(scope="module")
def file(study_in: StudyFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(study_in, tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="module")
def begun() -> list[int]:
    """What was told about how many runs would train."""
    return []


@pytest.fixture(scope="module")
def tuned(file: Path, begun: list[int]) -> Results:
    return run(load_study(file), on_begin=begun.append)


def read_scores(out: Path) -> dict[str, Any]:
    """What each run on disk scored, by its folder."""
    files = out.glob("runs/*/*/*/*/record.json")
    records = {
        str(file.parent.relative_to(out / "runs")): json.loads(file.read_text("utf-8")) for file in files
    }
    return {key: (record["status"], record["valid"], record["test"]) for key, record in records.items()}


def stamps(out: Path) -> dict[str, int]:
    return {
        str(file.parent.relative_to(out / "runs")): file.stat().st_mtime_ns
        for file in out.glob("runs/**/record.json")
    }


def test_the_grid_trains_with_tuning_seeds_and_the_others_at_the_chosen_point(tuned: Results) -> None:
    assert read_scores(tuned.out).keys() == TUNING | JUDGED
    assert {record.key for record in tuned.records} == TUNING | JUDGED
    assert {record.key for record in tuned.records if record.for_tuning} == TUNING


def test_all_of_them_were_announced(tuned: Results, begun: list[int]) -> None:
    assert begun == [len(tuned.records)]


def test_nobody_can_look_at_the_test_of_a_run_that_chooses(tuned: Results) -> None:
    for record in tuned.records:
        assert (record.test is None) == record.for_tuning
        assert {epoch.test is None for epoch in record.epochs} == {record.for_tuning}
        folder = tuned.out / "runs" / record.key
        assert (folder / "predictions.parquet").is_file() != record.for_tuning
        curves = EventAccumulator(str(tuned.out / "tensorboard" / record.key)).Reload()
        tags = {tag.partition("/")[0] for tag in curves.Tags()["scalars"]}
        assert tags == {"train", "valid", "best"} | (set() if record.for_tuning else {"test"})
        assert ("best/test_accuracy" in curves.Tags()["scalars"]) != record.for_tuning


def test_figures_are_of_the_judged_runs(tuned: Results) -> None:
    findings = tuned.findings
    assert findings.find_chosen_point("pretrained", "all") == {"learning_rate": HIGH}
    judged = [record for record in tuned.records if record.key in JUDGED and record.arm == "pretrained"]
    (row,) = (row for row in findings.summary if (row.arm, row.metric) == ("pretrained", "accuracy"))
    assert row.n_seeds == 2
    assert row.mean == pytest.approx(sum((record.test or {})["accuracy"] for record in judged) / 2)
    assert {row.n_seeds for row in findings.grid_rows} == {2}


def test_the_saved_model_is_of_a_judged_run(tuned: Results) -> None:
    for arm in ("pretrained", "random"):
        notes = json.loads((tuned.out / "models" / arm / "headstart.json").read_text("utf-8"))
        assert notes["run"] in JUDGED
    assert not list(tuned.out.glob("runs/*/*/tuning-*/*/model"))
    card = (tuned.out / "models/pretrained/README.md").read_text("utf-8")
    assert "Chosen on valid, by the tuning seeds 1000, 1001: learning_rate 0.003, of 2 grid points" in card


def test_it_is_said_who_chose(tuned: Results, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(file)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "over tuning seeds, which are not used for evaluation" in shown
    assert "scores are optimistic" not in shown
    assert main(["compare", str(tuned.out), "--all"]) == 0
    assert "over tuning seeds, which are not used for evaluation" in " ".join(capsys.readouterr().out.split())


def test_a_plan_counts_both_phases(
    study_in: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = write(study_in, tmp_path)
    planned = plan(load_study(written))
    assert {run.key for run in planned.runs} == TUNING
    assert sorted((run.arm, run.seed) for run in planned.to_come) == sorted(
        (key.split("/")[0], int(key.split("/")[2])) for key in JUDGED
    )
    assert main(["plan", str(written)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "12 of 12 runs to train" in shown
    assert "8 of them tune settings; 4 more then train with the best ones and are evaluated" in shown


def test_time_is_expected_of_both_phases(study_in: StudyFile, tmp_path: Path) -> None:
    """Of steps that were timed: judged runs are a third of all, and cost what the others do."""
    planned = plan(load_study(write(study_in, tmp_path, workers=1)), probe=True)
    assert planned.cost.seconds is not None
    assert planned.cost.packs is not None
    tuning = sum(
        pack.estimate.seconds.low for pack in planned.cost.packs if pack.estimate and pack.estimate.seconds
    )
    assert planned.cost.seconds.low == pytest.approx(1.5 * tuning, rel=0.05)


def test_when_all_is_done_nothing_is_to_come(tuned: Results, file: Path) -> None:
    planned = plan(load_study(file))
    assert {run.key for run in planned.runs} == planned.done == TUNING | JUDGED
    assert planned.to_come == ()


class _InterruptedError(BaseException):
    """What a key stroke or a lost machine does."""


def _interrupt(is_time: Callable[[Event], bool]) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if is_time(event):
            raise _InterruptedError

    return on_event


@pytest.mark.parametrize(
    "is_time",
    [
        lambda event: isinstance(event, RunStarted) and not event.run.for_tuning,
        pytest.param(
            lambda event: isinstance(event, RunStarted) and event.run.seed == 1001, marks=pytest.mark.long
        ),
        lambda event: isinstance(event, RunEnded) and event.record.key in JUDGED,
    ],
    ids=["between the phases", "while tuning", "while judging"],
)
def test_what_was_killed_goes_on_with_the_same_results(
    study_in: StudyFile, tmp_path: Path, tuned: Results, is_time: Callable[[Event], bool]
) -> None:
    written = write(study_in, tmp_path)
    with pytest.raises(_InterruptedError):
        run(load_study(written), _interrupt(is_time))
    before = stamps(tmp_path / "out")
    assert 0 < len(before) < 12
    again = run(load_study(written))
    after = stamps(again.out)
    assert {key: after[key] for key in before} == before, "what was done is not done again"
    assert read_scores(again.out) == read_scores(tuned.out)
    assert again.findings.summary == tuned.findings.summary


def test_two_workers_find_the_same(study_in: StudyFile, tmp_path: Path, tuned: Results) -> None:
    results = run(load_study(write(study_in, tmp_path, workers=2)))
    scores, expected = read_scores(results.out), read_scores(tuned.out)
    assert scores.keys() == expected.keys()
    for key, (status, valid, _) in scores.items():
        assert status == "done"
        assert valid == pytest.approx(expected[key][1], abs=1e-4)


def test_packs_of_runs_that_choose_and_of_others_hide_the_test_of_the_first(
    study_in: StudyFile, tmp_path: Path
) -> None:
    """An arm of another method has no grid here, so that its judged runs train beside the others' tuning."""
    arms = {
        "pretrained": {"tune": {"learning_rate": [LOW, HIGH]}},
        "plain": {"training": {"learning_rate": HIGH}},
    }
    written = write(
        study_in, tmp_path, arms=arms | {"words": None}, tune=None, control=None, pack=8, confounded=True
    )
    results = run(load_study(written))
    assert max(record.execution.pack_size for record in results.records if record.execution) > 4
    for record in results.records:
        assert (record.test is None) == record.for_tuning
        assert {epoch.test is None for epoch in record.epochs} == {record.for_tuning}


def test_more_seeds_are_judged_at_the_same_point_and_nothing_is_tuned_again(
    study_in: StudyFile, tmp_path: Path
) -> None:
    written = write(study_in, tmp_path)
    first = run(load_study(written))
    before = stamps(first.out)
    again = run(load_study(written, ["seeds=4"]))
    added = stamps(again.out).keys() - before.keys()
    assert added == {key.replace("/0/", f"/{seed}/") for key in JUDGED for seed in (2, 3) if "/0/" in key}
    assert {key: stamp for key, stamp in stamps(again.out).items() if key in before} == before
    assert [row.chosen for row in again.findings.grid_rows] == [
        row.chosen for row in first.findings.grid_rows
    ]


def test_a_grid_that_grew_may_choose_anew_and_says_so(study_in: StudyFile, tmp_path: Path) -> None:
    written = write(study_in, tmp_path, tune={"learning_rate": [LOW]})
    run(load_study(written))
    said: list[str] = []
    again = run(load_study(written, [f"tune.learning_rate=[{LOW}, {HIGH}]"]), log=said.append)
    assert read_scores(again.out).keys() == TUNING | JUDGED | {
        key.replace("0.003", "1e-07") for key in JUDGED
    }
    assert {record.key for record in again.records} == TUNING | JUDGED
    told = [sentence for sentence in said if "no longer count" in sentence]
    assert [sentence.split(":")[0] for sentence in told] == ["pretrained", "random"]
    assert "tuning chooses learning_rate 0.003 now, but 2 runs were trained at learning_rate 1e-07" in told[0]
    notes = json.loads((again.out / "models/pretrained/headstart.json").read_text("utf-8"))
    assert notes["run"] in JUDGED


def test_a_setting_that_diverges_is_no_candidate_and_the_study_goes_on(
    study_in: StudyFile, tmp_path: Path
) -> None:
    """No weight outlives such a decay."""
    training = {"epochs": 1, "batch_size": 8, "precision": "fp32", "learning_rate": HIGH}
    arms = {"random": {"init": "random"}, "words": None}
    tune = {"weight_decay": [1e30, 0.01]}
    results = run(load_study(write(study_in, tmp_path, arms=arms, training=training, tune=tune)))
    assert {record.key for record in results.findings.failed} == {
        f"random/all/tuning-{seed}/weight_decay=1e+30" for seed in (1000, 1001)
    }
    judged = [record.key for record in results.records if not record.for_tuning]
    assert judged == [f"random/all/{seed}/weight_decay=0.01" for seed in (0, 1)]
    assert (results.out / "models" / "random").is_dir()


def test_seeds_that_are_added_until_decided_are_judged_at_the_chosen_point(
    study_in: StudyFile, tmp_path: Path
) -> None:
    written = write(study_in, tmp_path, tune={"learning_rate": [LOW, HIGH], "seeds": [2]}, curves=["valid"])
    results = run_until(load_study(written), 1000)
    judged = {record.seed for record in results.records if not record.for_tuning}
    assert judged == {0, 1, 3, 4, 5, 6, 7, 8}, "a seed that chooses is left out"
    assert sum(record.for_tuning for record in results.records) == 4
