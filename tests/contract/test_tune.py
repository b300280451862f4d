"""Tuned arms whose own seeds choose, end to end: a grid is trained, chosen on valid, and gone on with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file

from headstart import load_study, plan, run
from headstart.analysis.results import Results
from headstart.cli import main

StudyFile = Callable[..., Path]
ARMS = {"pretrained": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
#: The first learns next to nothing in four epochs, the second does.
RATES = [1e-7, 3e-3]
POINTS = ["learning_rate=1e-07", "learning_rate=0.003"]


@dataclass(frozen=True)
class Tuned:
    """A study of two rates, two seeds and two arms that was run."""

    file: Path
    results: Results

    @property
    def out(self) -> Path:
        return self.results.out


def write(study_in: StudyFile, folder: Path) -> Path:
    training = {"epochs": 4, "batch_size": 8, "learning_rate": 1.0, "precision": "fp32"}
    return study_in(
        folder, arms=ARMS, seeds=2, training=training, tune={"learning_rate": RATES, "seeds": "shared"}
    )


@pytest.fixture(scope="module")
def tuned(study_in: StudyFile, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    file = write(study_in, tmp_path_factory.mktemp("tuned"))
    return Tuned(file, run(load_study(file)))


@pytest.fixture
def copy(study_in: StudyFile, tmp_path: Path) -> Tuned:
    """One of the test's own, to change."""
    file = write(study_in, tmp_path)
    return Tuned(file, run(load_study(file)))


def promoted(out: Path, arm: str = "pretrained") -> str:
    return str(json.loads((out / "models" / arm / "headstart.json").read_text("utf-8"))["run"])


def kept(out: Path) -> set[str]:
    """The runs whose models lie in their own folders."""
    return {str(model.parent.relative_to(out / "runs")) for model in out.glob("runs/*/*/*/*/model")}


def best(results: Results, arm: str, point: str) -> str:
    """The run of the setting with the best valid accuracy, of equals the first."""
    runs = [r for r in results.records if r.arm == arm and r.key.endswith(f"/{point}")]
    return min(runs, key=lambda r: (-(r.valid or {})["accuracy"], r.key)).key


def test_every_point_of_the_grid_is_trained_with_every_seed(tuned: Tuned) -> None:
    files = sorted(tuned.out.glob("runs/*/*/*/*/record.json"))
    wanted = {
        f"{arm}/all/{seed}/{point}" for arm in ("pretrained", "random") for seed in (0, 1) for point in POINTS
    }
    assert {str(file.parent.relative_to(tuned.out / "runs")) for file in files} == wanted
    assert {r.key for r in tuned.results.records} == wanted
    assert list(tuned.out.glob("runs/*/*/*/record.json")) == []


def test_runs_train_at_the_rate_of_their_grid_point(tuned: Tuned) -> None:
    # The rate of the last step is the peak's share, alike in all runs.
    last = {r.hyperparameters["learning_rate"]: r.epochs[-1].learning_rate for r in tuned.results.records}
    assert last[3e-3] / last[1e-7] == pytest.approx(3e4)


def test_each_run_has_curves_of_its_own(tuned: Tuned) -> None:
    files = tuned.out.glob("tensorboard/*/**/events.*")  # beside the layout of all
    folders = [file.parent for file in files]
    assert len(set(folders)) == 8
    assert {folder.name for folder in folders} == set(POINTS)


def test_the_arms_figures_are_of_the_chosen_grid_point_only(tuned: Tuned) -> None:
    findings = tuned.results.findings
    assert findings.find_chosen_point("pretrained", "all") == {"learning_rate": 3e-3}
    (row,) = (s for s in findings.summary if (s.arm, s.metric) == ("pretrained", "accuracy"))
    chosen = [
        r
        for r in tuned.results.records
        if r.arm == "pretrained" and r.hyperparameters["learning_rate"] == 3e-3
    ]
    assert row.n_seeds == len(chosen) == 2
    assert row.mean == pytest.approx(sum((r.test or {})["accuracy"] for r in chosen) / 2)


def test_results_hold_the_whole_grid_and_the_rule(tuned: Tuned) -> None:
    results = json.loads((tuned.out / "results.json").read_text("utf-8"))
    assert len(results["runs"]) == 8
    assert results["grid_search"]["rule"].startswith(
        "for each arm and size, the grid point with the best mean valid"
    )
    grid = [
        (row["arm"], row["hyperparameters"], row["n_seeds"], row["chosen"])
        for row in results["grid_search"]["grid"]
    ]
    assert [row[:3] for row in grid] == [
        (arm, {"learning_rate": rate}, 2) for arm in ("pretrained", "random") for rate in RATES
    ]
    assert [row[3] for row in grid] == [False, True] * 2
    assert any(
        "the best learning_rate, 0.003, is the largest tried" in w["message"] for w in results["warnings"]
    )


def test_promoted_model_is_of_the_chosen_setting(tuned: Tuned) -> None:
    assert promoted(tuned.out) == best(tuned.results, "pretrained", POINTS[1])
    card = (tuned.out / "models/pretrained/README.md").read_text("utf-8")
    assert "Chosen on valid: learning_rate 0.003, of 2 grid points tried." in card


def test_best_model_of_each_other_setting_stays_with_its_run(tuned: Tuned) -> None:
    mine = {key for key in kept(tuned.out) if key.startswith("pretrained/")}
    assert mine == {best(tuned.results, "pretrained", POINTS[0])}


def test_plan_counts_the_grid(tuned: Tuned) -> None:
    planned = plan(load_study(tuned.file))
    assert [dict(run.grid_point)["learning_rate"] for run in planned.runs] == RATES * 4
    assert planned.done == {run.key for run in planned.runs}


def stamps(out: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in out.glob("runs/**/record.json")}


def test_one_more_seed_trains_only_what_is_missing(copy: Tuned) -> None:
    before = stamps(copy.out)
    again = run(load_study(copy.file, ["seeds=3"]))
    after = stamps(copy.out)
    assert len(after) == 12
    assert {key: after[key] for key in before} == before
    assert {row.n_seeds for row in again.findings.grid_rows} == {3}
    assert promoted(copy.out) == best(again, "pretrained", POINTS[1])


def test_grown_grid_trains_only_what_is_missing_and_may_choose_anew(copy: Tuned) -> None:
    run(load_study(copy.file, ["tune.learning_rate=[1e-7, 2e-7, 3e-3]"]))
    assert len(stamps(copy.out)) == 12
    assert promoted(copy.out).endswith(POINTS[1])


def test_a_later_choice_finds_its_model_and_the_earlier_one_goes_back(
    study_in: StudyFile, tmp_path: Path
) -> None:
    file = write(study_in, tmp_path)
    run(load_study(file, ["seeds=1", f"tune.learning_rate={RATES[:1]}"]))
    earlier = promoted(tmp_path / "out")
    weights = load_file(tmp_path / "out/models/pretrained/model.safetensors")
    run(load_study(file, ["seeds=1"]))
    assert promoted(tmp_path / "out") == f"pretrained/all/0/{POINTS[1]}"
    back = load_file(tmp_path / "out/runs" / earlier / "model/model.safetensors")
    assert all(weights[name].equal(back[name]) for name in weights)
    assert not (tmp_path / "out/runs" / earlier / "model/README.md").exists()


def test_model_that_was_deleted_is_said_to_be_gone(copy: Tuned) -> None:
    key = promoted(copy.out)
    (copy.out / "models/pretrained/headstart.json").unlink()
    again = run(load_study(copy.file))
    assert not (copy.out / "models/pretrained").exists()
    (warning,) = (w for w in again.findings.warnings if w.kind == "model-gone")
    assert f"the model of its best run, {key}, was deleted" in warning.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tune.learning_rate=[3e-3]", "arms.pretrained.tune.learning_rate 1e-07 was removed"),
        ("tune.weight_decay=[0.1]", "arms.pretrained.weight_decay was 0.01, is tuned"),
        ("tune=null", "arms.pretrained.learning_rate was tuned, is 1.0"),
    ],
)
def test_another_grid_in_the_folder_is_refused(
    tuned: Tuned, change: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tuned.file), change]) == 2
    assert message in capsys.readouterr().err


def test_figures_that_two_shared_seeds_give_are_said_to_be_too_good(
    tuned: Tuned, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["run", str(tuned.file)], ["compare", str(tuned.out)]):
        assert main(words) == 0
        assert "scores are optimistic" in " ".join(capsys.readouterr().out.split())
    assert main(["compare", str(tuned.out), "--json"]) == 0
    assert "scores are optimistic" in json.loads(capsys.readouterr().out)["grid_choice"]


def test_closing_words_show_the_grid(tuned: Tuned, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tuned.file)]) == 0
    message = capsys.readouterr().out
    assert "rate 0.003" in message
    assert "valid accuracy at each grid point" in message
    assert re.search(r"(?m) \* \d", message)
