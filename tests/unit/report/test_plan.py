"""What `headstart plan` shows of a plan as production makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from typing import Any

from rich.console import Console

from headstart.config.runs import expand_runs
from headstart.config.study import Study
from headstart.data.labels.base import LabelStatistics
from headstart.data.statistics import DataStatistics
from headstart.planning.cost import DiskCost, GroupCost, StudyCost
from headstart.planning.plan import Plan
from headstart.records import StudyWarning
from headstart.report.plan import render_plan

LOW, HIGH = 1e-5, 1e-4
DATA = DataStatistics(
    task="classification",
    examples={"train": 6, "valid": 2, "test": 2},
    label_names=("x", "y"),
    labels=LabelStatistics({name: {"train": 3, "valid": 1, "test": 1} for name in ("x", "y")}),
    lengths={},
)


def study(**changes: Any) -> Study:
    arms = {"a": {}, "r": {"init": "random"}, "words": None}
    base = {"data": {"path": "a.csv"}, "model": "m", "arms": arms, "seeds": 2}
    return Study.model_validate(base | {"tune": {"learning_rate": [LOW, HIGH], "seeds": "shared"}} | changes)


def planned(of: Study, done: Sequence[str] = (), groups: Sequence[GroupCost] = ()) -> Plan:
    cost = StudyCost({}, tuple(groups), 2**30, DiskCost(2**20, 0, 2**30))
    return Plan(of, expand_runs(of), frozenset(done), DATA, cost)


def lines(plan: Plan) -> list[str]:
    """What is shown, without lines of boxes and repeated blanks."""
    console = Console(file=(stream := StringIO()), width=120)
    console.print(render_plan(plan))
    return [" ".join(line.replace("│", " ").split()) for line in stream.getvalue().splitlines()]


def test_a_plan_shows_what_is_tried() -> None:
    wide = study(tune={"learning_rate": [LOW, HIGH], "weight_decay": [0.1, 0], "seeds": "shared"}, sizes=[4])
    done = [run.key for run in expand_runs(wide) if run.seed == 0 and run.arm == "a"]
    shown = lines(planned(wide, done))
    assert "arm starts from method rate decay train size runs done" in [
        line.strip("┃ ").replace(" ┃", "") for line in shown
    ]
    assert "a pretrained full 1e-5, 1e-4 0.1, 0 4 8 4" in shown
    assert "r (control) random full 1e-5, 1e-4 0.1, 0 4 8 0" in shown
    assert "12 of 16 runs to train" in shown


def test_an_arm_that_tries_nothing_shows_its_rate() -> None:
    shown = lines(planned(study(tune=None)))
    assert "a pretrained full 3e-5 all 2 0" in shown


def test_who_sets_each_arms_rate_is_shown_and_in_json() -> None:
    arms = {
        "a": {},
        "low": {"method": "lora"},
        "own": {"method": "lora", "training": {"learning_rate": 0.01}},
        "tried": {"method": "probe", "tune": {"learning_rate": [0.1]}},
        "words": {"method": "bag-of-words"},
    }
    of = study(tune=None, arms=arms, training={"learning_rate": {"full": 1e-4}}, confounded=True)
    shown = lines(planned(of))
    said = next(line for line in shown if line.startswith("learning rates set by"))
    assert said == (
        "learning rates set by the study: a; the method's default: low; the arm: own; the arm's own "
        "grid: tried"
    )
    assert planned(of).to_dict()["learning_rates"] == {
        "a": {"values": [1e-4], "source": "study", "suits_method": 3e-5},
        "low": {"values": [2e-4], "source": "method", "suits_method": 2e-4},
        "own": {"values": [0.01], "source": "arm", "suits_method": 2e-4},
        "tried": {"values": [0.1], "source": "arm's grid", "suits_method": 1e-3},
        "words": None,
    }


def test_a_bag_of_words_starts_from_nothing_and_has_no_rate() -> None:
    shown = lines(planned(study(tune=None, arms={"a": {}, "words": {"method": "bag-of-words"}})))
    assert "words (control) - bag-of-words - all 2 0" in shown


def test_what_can_train_as_one_is_said_and_why_not() -> None:
    of = study(tune=None, arms={"a": {}, "r": {"init": "random"}, "words": {"method": "bag-of-words"}})
    keys = [run.key for run in expand_runs(of)]
    together = GroupCost(tuple(key for key in keys if key[0] in "ar"), None, 1, None)
    words = GroupCost(tuple(key for key in keys if key.startswith("words")), "it is fitted", 1, None)
    shown = lines(planned(of, groups=[together, words]))
    assert "a, r: up to 4 train together (chosen automatically)" in shown
    assert not any("it is fitted" in line for line in shown), "nobody expects a bag of words to be stacked"
    alone = replace(together, alone="its weight is elsewhere")
    assert "a, r: trained one at a time (its weight is elsewhere)" in lines(planned(of, groups=[alone]))


def test_data_warnings_and_the_question_are_said() -> None:
    plan = replace(
        planned(study(question="Does it?")), warnings=(StudyWarning(kind="k", message="2 are cut"),)
    )
    shown = lines(plan)
    assert shown[:3] == ["Does it?", "classification, 2 labels: x, y", "texts: 6 train, 2 valid, 2 test"]
    assert "! 2 are cut" in shown


def test_groups_of_test_texts_are_counted_and_named() -> None:
    grouped = replace(planned(study()), data=replace(DATA, test_groups=40, group_source="films"))
    examples = ", ".join(f"{count} {part}" for part, count in DATA.examples.items())
    assert f"texts: {examples} in 40 groups (films)" in lines(grouped)
    assert f"texts: {examples}" in lines(planned(study()))


def test_more_labels_than_fit_are_counted() -> None:
    data = replace(DATA, label_names=tuple("abcdefghijklmno"), labels=LabelStatistics())
    shown = lines(replace(planned(study()), data=data))
    assert "classification, 15 labels: a, b, c, d, e, f, g, h, i, j, k, l and 3 more" in shown


def test_a_study_that_is_done_says_so() -> None:
    of = study()
    assert "all runs are finished" in lines(planned(of, [run.key for run in expand_runs(of)]))
