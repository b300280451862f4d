"""What scores are opened from, and which arm is the control there."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.analysis.score_sources import open_source
from headstart.errors import HeadstartError
from headstart.records import StoppingRule
from headstart.store.runs import RunStore
from judged_studies import write_answered_study
from studies import make_record, make_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study's folder with records and no predictions, its seeds added by a rule."""
    out = tmp_path / "out"
    store = RunStore(out)
    rule = StoppingRule(metric="accuracy", width=2.0, most_seeds=9)
    store.open_study(make_study(data={"path": "/a.csv"}, seeds=2, out=str(out)), rule)
    for arm, values in (("pretrained", (0.8, 0.9)), ("random", (0.5, None))):
        for seed, value in enumerate(values):
            store.write_record(make_record(arm, seed, value))
    return out


def table(folder: Path, *arms: str) -> Path:
    file = folder / "scores.csv"
    file.write_text("arm,seed,accuracy\n" + "".join(f"{arm},0,0.5\n" for arm in arms), encoding="utf-8")
    return file


def test_a_study_gives_its_metric_control_runs_and_rule(folder: Path) -> None:
    source = open_source(folder, None)
    assert (source.metric.name, source.control) == ("accuracy", "random")
    assert [(arm_scores.arm, arm_scores.by_seed) for arm_scores in source.scores] == [
        ("pretrained", {0: 0.8, 1: 0.9}),
        ("random", {0: 0.5}),
    ]
    assert [run.key for run in source.runs] == ["pretrained/all/0", "pretrained/all/1", "random/all/0"]
    assert source.stopping_rule is not None
    assert source.stopping_rule.width == 2.0


def test_another_metric_of_the_study_may_be_asked_for(folder: Path) -> None:
    source = open_source(folder, "loss")
    assert source.metric.name == "loss"
    assert source.scores[0].by_seed == pytest.approx({0: 0.2, 1: 0.1})


@pytest.mark.parametrize(("arms", "control"), [(("a", "random", "b"), "random"), (("a", "b"), "a")])
def test_the_control_of_a_table_is_random_or_its_first_arm(
    tmp_path: Path, arms: tuple[str, ...], control: str
) -> None:
    source = open_source(table(tmp_path, *arms), None)
    assert (source.control, source.runs, source.stopping_rule) == (control, (), None)
    assert source.check_control(None) == control
    assert source.check_control(arms[-1]) == arms[-1]


def test_a_control_that_is_no_arm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"no arm is called 'c'[\s\S]*one of a, b"):
        open_source(table(tmp_path, "a", "b"), None).check_control("c")


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match="no such file or folder"):
        open_source(tmp_path / "nowhere", None)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match="contains no study"):
        open_source(tmp_path, None)


def test_a_metric_that_no_run_has_is_refused(folder: Path) -> None:
    with pytest.raises(HeadstartError, match=r"no run has a test 'rmse'[\s\S]*one of accuracy, loss"):
        open_source(folder, "rmse")


def test_token_f1_of_scripts_without_spaces_is_said(tmp_path: Path) -> None:
    write_answered_study(tmp_path / "ja", reference="答えは{}です")
    (note,) = open_source(tmp_path / "ja", "token_f1").notes
    assert "12 of 12 responses are in a script without spaces" in note
    assert open_source(tmp_path / "ja", "exact_match").notes == ()
    write_answered_study(tmp_path / "en")
    assert open_source(tmp_path / "en", "token_f1").notes == ()


def test_a_run_that_lacks_a_metric_lacks_that_alone(tmp_path: Path) -> None:
    """It could not answer, or an earlier version did not measure this: its other figures count as before."""
    store = write_answered_study(tmp_path / "out")
    lacking = next(record for record in store.read_records() if record.key == "tuned/all/0")
    store.write_record(lacking.model_copy(update={"test": {"loss": 1.0}}))
    by_arm = {scores.arm: set(scores.by_seed) for scores in open_source(tmp_path / "out", "token_f1").scores}
    assert by_arm == {"base": {0, 1, 2}, "tuned": {1, 2}}
    assert {len(scores.by_seed) for scores in open_source(tmp_path / "out", "loss").scores} == {3}
