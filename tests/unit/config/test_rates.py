"""Learning rates by method: who sets an arm's, what a study file may say, and what it may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from headstart.commands.schema import schema
from headstart.config.arm_settings import (
    ArmRates,
    find_rates,
    get_grid_axes,
    get_tune,
    resolve_training,
)
from headstart.config.load import dump_study, load_study
from headstart.config.runs import expand_runs
from headstart.config.study import Study
from headstart.config.traits import METHODS
from headstart.errors import StudyError

ARMS = {
    "full": {},
    "lora": {"method": "lora"},
    "probe": {"method": "probe"},
    "own": {"method": "lora", "training": {"learning_rate": 7e-4}},
    "words": {"method": "bag-of-words"},
}
BASE: dict[str, Any] = {"data": {"path": "/a.csv"}, "model": "m", "arms": ARMS, "confounded": True}


def make(**changes: Any) -> Study:
    return Study.model_validate(BASE | changes)


def rates(study: Study) -> dict[str, ArmRates | None]:
    return {name: find_rates(study, arm) for name, arm in study.arms.items()}


def resolved(study: Study) -> dict[str, Any]:
    return {name: resolve_training(study, arm).learning_rate for name, arm in study.arms.items()}


def load(folder: Path, text: str, *overrides: str) -> Study:
    (folder / "study.yaml").write_text(f"data: {{path: a.csv}}\nmodel: m\n{text}", encoding="utf-8")
    return load_study(folder / "study.yaml", overrides)


def test_a_rate_by_method_is_that_methods_and_others_keep_their_own() -> None:
    study = make(training={"learning_rate": {"full": 1e-4, "probe": 5e-3}})
    own = METHODS["lora"].learning_rate
    assert resolved(study) == {"full": 1e-4, "lora": own, "probe": 5e-3, "own": 7e-4, "words": 0.0}
    assert rates(study) == {
        "full": ArmRates((1e-4,), "study", 3e-5),
        "lora": ArmRates((own,), "method", own),
        "probe": ArmRates((5e-3,), "study", 1e-3),
        "own": ArmRates((7e-4,), "arm", own),
        "words": None,
    }
    assert all(isinstance(run.training.peak_rate, float) for run in expand_runs(study))


def test_one_rate_is_every_methods() -> None:
    study = make(training={"learning_rate": 1e-4})
    assert resolved(study) == {"full": 1e-4, "lora": 1e-4, "probe": 1e-4, "own": 7e-4, "words": 1e-4}
    assert {name: found.source for name, found in rates(study).items() if found} == {
        "full": "study",
        "lora": "study",
        "probe": "study",
        "own": "arm",
    }


def test_an_arm_that_sets_none_has_what_suits_its_method() -> None:
    arms = {"a": {"method": "lora", "training": {"learning_rate": None}}, "words": None}
    study = make(arms=arms, training={"learning_rate": 1e-4})
    assert rates(study) == {"a": ArmRates((2e-4,), "method", 2e-4)}


def test_a_grid_by_method_is_that_methods_and_others_try_nothing() -> None:
    arms = ARMS | {"own": {"method": "lora", "tune": {"learning_rate": [1e-3, 2e-3]}}}
    study = make(arms=arms, tune={"learning_rate": {"full": [1e-5, 1e-4]}})
    assert get_tune(study, study.arms["lora"]) is None
    assert get_grid_axes(study, study.arms["full"]) == {"learning_rate": (1e-5, 1e-4)}
    assert rates(study) == {
        "full": ArmRates((1e-5, 1e-4), "study's grid", 3e-5),
        "lora": ArmRates((2e-4,), "method", 2e-4),
        "probe": ArmRates((1e-3,), "method", 1e-3),
        "own": ArmRates((1e-3, 2e-3), "arm's grid", 2e-4),
        "words": None,
    }
    tuning = {run.arm for run in expand_runs(study) if run.for_tuning}
    assert tuning == {"full", "own"}


def test_other_axes_of_a_grid_stay_everyones() -> None:
    study = make(tune={"learning_rate": {"full": [1e-5, 1e-4]}, "weight_decay": [0, 0.1]})
    assert get_grid_axes(study, study.arms["lora"]) == {"weight_decay": (0, 0.1)}
    assert set(get_grid_axes(study, study.arms["full"])) == {"learning_rate", "weight_decay"}


def test_the_command_line_names_a_method(tmp_path: Path) -> None:
    text = "arms: {full: {}, lora: {method: lora}, words: null}\ntraining: {learning_rate: 3e-5}\n"
    study = load(tmp_path, text, "training.learning_rate.full=1e-4")
    assert resolved(study) == {"full": 1e-4, "lora": 2e-4}
    study = load(tmp_path, text, "tune.learning_rate.lora=[1e-4, 1e-3]", "training.learning_rate.full=1e-4")
    assert resolved(study)["full"] == 1e-4
    assert get_grid_axes(study, study.arms["lora"]) == {"learning_rate": (1e-4, 1e-3)}


def test_a_saved_study_reads_back_equal(tmp_path: Path) -> None:
    study = load(
        tmp_path,
        "arms: {a: {}, lora: {method: lora, lora: {alpha: 3}}}\n"
        "training: {learning_rate: {probe: 1e-2}}\n"
        "tune: {learning_rate: {full: [1e-5, 1e-4], lora: [1e-3]}}\n",
    )
    (tmp_path / "again.yaml").write_text(dump_study(study), encoding="utf-8")
    assert load_study(tmp_path / "again.yaml") == study


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "training: {learning_rate: {lorra: 1e-4}}",
            "study.yaml:3: training.learning_rate.lorra: input should be 'full', 'lora', 'qlora',",
        ),
        (
            "training: {learning_rate: {bag-of-words: 1e-4}}",
            "training.learning_rate.bag-of-words: method bag-of-words takes no learning rate; those that do",
        ),
        (
            "training: {learning_rate: {full: 11}}",
            "training.learning_rate.full: input should be less than 10, got 11",
        ),
        ("training: {learning_rate: fast}", "training.learning_rate: input should be a valid number"),
        ("training: {learning_rate: {}}", "training.learning_rate: dictionary should have at least 1 item"),
        (
            "arms: {a: {training: {learning_rate: {full: 1e-4}}}}",
            "arms.a.training.learning_rate: one rate expected, for an arm has one method; rates by method "
            "are the study's: training.learning_rate",
        ),
        (
            "arms: {a: {tune: {learning_rate: {full: [1e-4]}}}}",
            "arms.a.tune.learning_rate: one list of rates expected",
        ),
        ("tune: {learning_rate: {full: []}}", "tune.learning_rate: at least one expected, got an empty list"),
        ("tune: {learning_rate: {full: [1e-4, 1e-4]}}", "tune.learning_rate: each at most once expected"),
        ("tune: {learning_rate: 1e-4}", "tune.learning_rate: a list expected, got 0.0001"),
        (
            "arms: {a: {training: {learning_rate: 1e-4}}}\ntune: {learning_rate: {full: [1e-4]}}",
            "arms.a.training.learning_rate: is set beside a grid that tries values of it",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load(tmp_path, text + "\n")
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_rate_beside_a_grid_of_other_methods_is_no_mistake() -> None:
    arms = {"a": {"method": "lora", "training": {"learning_rate": 1e-4}}, "b": {}, "words": None}
    study = make(arms=arms, tune={"learning_rate": {"full": [1e-5, 1e-4]}})
    assert rates(study)["a"] == ArmRates((1e-4,), "arm", 2e-4)


@pytest.mark.parametrize(
    ("values", "is_valid"),
    [
        ({"learning_rate": 1e-4}, True),
        ({"learning_rate": {"full": 1e-4}}, True),
        ({"learning_rate": {"full": [1e-4]}}, False),
        ({"learning_rate": {"full": 11}}, False),
        ({"learning_rate": "fast"}, False),
    ],
)
def test_editors_know_both_ways(values: dict[str, Any], is_valid: bool) -> None:
    study = json.loads(json.dumps(BASE | {"training": values}))
    assert jsonschema.Draft202012Validator(schema()).is_valid(study) is is_valid
