"""A study stands for arm x size x seed runs, and an arm that changes more than its claim is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headstart.config.arm_settings import resolve_training
from headstart.config.fairness import DIFFERS, describe_differences, find_confounders
from headstart.config.runs import Run, expand_runs
from headstart.config.study import Study
from headstart.errors import StudyError

RANDOM = {"init": "random"}


def study(**values: Any) -> Study:
    return Study.model_validate({"data": {"path": "a.csv"}, "model": "m", **values})


def runs_of(arm: str, parsed: Study) -> list[Run]:
    return [run for run in expand_runs(parsed) if run.arm == arm]


def test_runs_are_every_arm_size_and_seed() -> None:
    assert len(expand_runs(study(seeds=4, sizes=[10, "all"]))) == 3 * 2 * 4


def test_runs_go_seed_by_seed_then_size_then_arm() -> None:
    parsed = study(seeds=[5, 1], sizes=[10, "all"], arms={"b": {}, "a": RANDOM, "words": None})
    keys = ["b/10/5", "a/10/5", "b/all/5", "a/all/5", "b/10/1", "a/10/1", "b/all/1", "a/all/1"]
    assert [run.key for run in expand_runs(parsed)] == keys


def test_every_run_has_its_own_key() -> None:
    keys = [run.key for run in expand_runs(study(seeds=3, sizes=[2, 20, "all"]))]
    assert len(set(keys)) == len(keys) == 27


def test_run_carries_what_its_arm_starts_from() -> None:
    arms = {"a": {}, "r": RANDOM, "other": {"init": "org/x"}}
    starts = {run.arm: (run.checkpoint, run.pretrained) for run in expand_runs(study(arms=arms, seeds=1))}
    assert starts == {"a": ("m", True), "r": ("m", False), "other": ("org/x", True), "words": ("", False)}


def test_learning_rate_defaults_to_what_suits_the_method() -> None:
    parsed = study(seeds=1)
    rates = {run.arm: run.training.learning_rate for run in expand_runs(parsed)}
    assert rates == {"pretrained": 3e-5, "random": 3e-5, "words": 0.0}


def test_learning_rate_of_the_study_is_every_arms() -> None:
    parsed = study(training={"learning_rate": 1e-5})
    assert {run.training.learning_rate for run in expand_runs(parsed)} == {1e-5}


def test_learning_rate_of_the_arm_wins() -> None:
    arms = {"a": {"training": {"learning_rate": 1e-4}}, "r": RANDOM}
    parsed = study(arms=arms, training={"learning_rate": 1e-5}, confounded=True)
    assert runs_of("a", parsed)[0].training.learning_rate == 1e-4
    assert runs_of("r", parsed)[0].training.learning_rate == 1e-5


def test_settings_of_the_study_reach_every_run() -> None:
    parsed = study(training={"batch_size": 8, "steps": 100})
    assert {(run.training.batch_size, run.training.steps) for run in expand_runs(parsed)} == {(8, 100)}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 5, "is 5 for a and 3 for its control r"),
        ("batch_size", 4, "is 4 for a and 16 for its control r"),
        ("learning_rate", 1e-4, "is 0.0001 for a and 3e-05 for its control r"),
        ("weight_decay", 0.1, "is 0.1 for a and 0.01 for its control r"),
        ("steps", 100, "is 100 for a and None for its control r"),
    ],
)
def test_arm_that_differs_from_its_control_is_refused(field: str, value: float, expected: str) -> None:
    parsed = study(arms={"a": {"training": {field: value}}, "r": RANDOM})
    with pytest.raises(StudyError) as caught:
        expand_runs(parsed)
    (problem,) = caught.value.problems
    assert problem.key == f"arms.a.training.{field}"
    assert problem.message.startswith(expected)
    assert f"give both the same value, or set `differs_in: [{field}]`" in problem.message
    assert expand_runs(parsed.model_copy(update={"differs_in": (field,)}))


def test_every_difference_is_reported_at_once() -> None:
    arms = {"a": {"training": {"epochs": 5, "clip": 0}}, "b": {"training": {"warmup": 10}}, "r": RANDOM}
    with pytest.raises(StudyError) as caught:
        expand_runs(study(arms=arms))
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["arms.a.training.epochs", "arms.a.training.clip", "arms.b.training.warmup"]


def test_difference_of_the_control_itself_is_refused() -> None:
    with pytest.raises(StudyError, match=r"arms\.a\.training\.epochs: is 3 for a and 9 for its control r"):
        expand_runs(study(arms={"a": {}, "r": {**RANDOM, "training": {"epochs": 9}}}))


def test_confounded_study_is_let_through() -> None:
    parsed = study(arms={"a": {"training": {"epochs": 5}}, "r": RANDOM}, confounded=True)
    assert runs_of("a", parsed)[0].training.epochs == 5


def test_a_difference_that_is_named_is_let_through_and_told_and_no_other() -> None:
    arms = {"a": {"training": {"epochs": 5, "clip": 0}}, "r": RANDOM}
    (left,) = find_confounders(study(arms=arms, differs_in="training.epochs"))
    assert left[0] == "arms.a.training.clip"
    both = study(arms=arms, differs_in=["epochs", "clip"])
    assert find_confounders(both) == []
    (told,) = describe_differences(both)
    assert told.message == (
        "a also differs from r in epochs (5 vs 3) and clip (0.0 vs 1.0): the result is their combined effect."
    )
    assert not list(describe_differences(study(arms={"a": {}, "r": RANDOM})))


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="differs_in"):
        study(differs_in=["rate"])


def test_the_older_spelling_allows_and_tells_every_difference() -> None:
    parsed = study(arms={"a": {"training": {"epochs": 5}}, "r": RANDOM}, confounded=True)
    assert find_confounders(parsed) == []
    assert [one.kind for one in describe_differences(parsed)] == [DIFFERS]


def test_spelling_out_the_controls_value_is_no_difference() -> None:
    arms = {"a": {"training": {"epochs": 3, "learning_rate": 3e-5}}, "r": RANDOM}
    assert resolve_training(study(arms=arms), study(arms=arms).arms["a"]).epochs == 3
    assert len(expand_runs(study(arms=arms, seeds=1))) == 3


def test_bag_of_words_may_differ_from_the_control() -> None:
    arms = {"a": {}, "r": RANDOM, "bag": {"method": "bag-of-words", "training": {"epochs": 1}}}
    assert len(expand_runs(study(arms=arms, seeds=1))) == 3


def test_bag_of_words_as_control_claims_nothing() -> None:
    arms = {"a": {"training": {"epochs": 5}}, "b": {"init": "org/x"}}
    assert len(expand_runs(study(arms=arms, seeds=1))) == 3


def test_runs_are_equal_for_equal_studies() -> None:
    assert expand_runs(study()) == expand_runs(study())


RATES = {"learning_rate": [1e-5, 3e-5], "seeds": "shared"}


def test_grid_is_the_product_with_rates_outermost() -> None:
    parsed = study(seeds=1, tune={"weight_decay": [0.1, 0.01], **RATES}, arms={"a": {}, "words": None})
    assert [run.key for run in expand_runs(parsed)] == [
        f"a/all/0/learning_rate={rate},weight_decay={decay}"
        for rate in ("1e-05", "3e-05")
        for decay in ("0.1", "0.01")
    ]


def test_settings_of_the_grid_are_in_force() -> None:
    parsed = study(tune=RATES, training={"learning_rate": 7e-5, "epochs": 9}, seeds=1)
    runs = runs_of("random", parsed)
    assert [(run.training.learning_rate, run.training.epochs) for run in runs] == [(1e-5, 9), (3e-5, 9)]
    assert [run.grid_point for run in runs] == [(("learning_rate", 1e-5),), (("learning_rate", 3e-5),)]


def test_runs_of_a_grid_go_seed_by_seed_then_size_then_arm() -> None:
    parsed = study(seeds=2, sizes=[10, "all"], tune=RATES, arms={"a": {}, "r": RANDOM, "words": None})
    runs = expand_runs(parsed)
    places = [(run.seed, run.size, run.arm, run.training.learning_rate) for run in runs]
    assert places == [
        (seed, size, arm, rate)
        for seed in (0, 1)
        for size in (10, "all")
        for arm in ("a", "r")
        for rate in (1e-5, 3e-5)
    ]


def test_bag_of_words_is_not_tuned() -> None:
    assert [run.grid_point for run in runs_of("words", study(seeds=1, tune=RATES))] == [()]


def test_grid_of_the_arm_replaces_the_studys() -> None:
    arms = {"a": {"tune": {"weight_decay": [0.1], "seeds": "shared"}}, "r": RANDOM}
    parsed = study(arms=arms, tune=RATES, seeds=1, confounded=True)
    assert [run.grid_point for run in runs_of("a", parsed)] == [(("weight_decay", 0.1),)]
    assert len(runs_of("r", parsed)) == 2


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ({"tune": RATES}, {}, "is learning_rate 1e-05, 3e-05 for a and no grid for its control r"),
        ({}, {"tune": RATES}, "is no grid for a and learning_rate 1e-05, 3e-05 for its control r"),
        (
            {"tune": RATES},
            {"tune": {"learning_rate": [1e-5, 1e-4], "seeds": "shared"}},
            "is learning_rate 1e-05, 3e-05 for a and learning_rate 1e-05, 0.0001 for its control r",
        ),
        (
            {"tune": RATES},
            {"training": {"learning_rate": 1e-3}},
            "is learning_rate 1e-05, 3e-05 for a and no grid for its control r",
        ),
        (
            {"tune": RATES | {"weight_decay": [0.1]}},
            {"tune": RATES},
            "is learning_rate 1e-05, 3e-05 x weight_decay 0.1 for a and learning_rate",
        ),
    ],
)
def test_arm_that_is_tuned_otherwise_than_its_control_is_refused(
    mine: dict[str, Any], theirs: dict[str, Any], expected: str
) -> None:
    arms = {"a": mine, "r": RANDOM | theirs}
    with pytest.raises(StudyError) as caught:
        expand_runs(study(arms=arms))
    (problem,) = caught.value.problems
    assert problem.key == "arms.a.tune"
    assert problem.message.startswith(expected)
    assert "give both the same grid, or set `differs_in: [tune]`" in problem.message
    assert expand_runs(study(arms=arms, confounded=True))


def test_arms_tuned_alike_may_write_their_grids_in_any_order() -> None:
    mine = {"learning_rate": [3e-5, 1e-5], "seeds": "shared"}
    arms = {"a": {"tune": mine}, "r": RANDOM | {"tune": RATES}}
    assert len(expand_runs(study(arms=arms, seeds=1))) == 5


def test_arm_of_another_method_may_have_another_grid() -> None:
    parsed = study(arms={"a": {"tune": RATES}, "r": RANDOM, "words": None}, training={"learning_rate": 1e-5})
    other = parsed.arms["a"].model_copy(update={"method": "lora"})
    assert find_confounders(parsed.model_copy(update={"arms": {**parsed.arms, "a": other}})) == []


def test_difference_that_no_grid_replaces_is_still_refused() -> None:
    arms = {"a": {"training": {"weight_decay": 0.1}}, "r": RANDOM}
    with pytest.raises(StudyError, match=r"arms\.a\.training\.weight_decay: is 0\.1 for a and 0\.01"):
        expand_runs(study(arms=arms, tune=RATES))


# Tuning seeds


OWN = {"learning_rate": [1e-5, 3e-5], "seeds": [7, 8]}


def test_tuning_runs_come_first_and_judged_ones_when_the_choice_is_known() -> None:
    parsed = study(seeds=2, tune=OWN, arms={"a": {}, "r": RANDOM, "words": {"method": "bag-of-words"}})
    grid = [
        f"{arm}/all/tuning-{seed}/learning_rate={rate}"
        for seed in (7, 8)
        for arm in "ar"
        for rate in ("1e-05", "3e-05")
    ]
    words = ["words/all/0", "words/all/1"]
    assert [run.key for run in expand_runs(parsed)] == [*grid, *words]
    known = expand_runs(parsed, {("r", "all"): (("learning_rate", 3e-5),)})
    assert [run.key for run in known] == [
        *grid,
        *(key for seed in (0, 1) for key in (f"r/all/{seed}/learning_rate=3e-05", f"words/all/{seed}")),
    ]
    assert [run.for_tuning for run in known] == [run.key in grid for run in known]
    assert {run.training.learning_rate for run in known if run.arm == "r" and not run.for_tuning} == {3e-5}


def test_a_method_without_a_rate_tries_nothing() -> None:
    arms = {"asked": {"method": "none"}, "lora": {"method": "lora"}}
    parsed = study(task="instruction", arms=arms, control="asked", tune=OWN, seeds=1)
    assert [(run.arm, run.for_tuning) for run in expand_runs(parsed)] == [
        *[("lora", True)] * 4,
        ("asked", False),
    ]


def test_an_arm_is_tuned_by_as_many_seeds_as_its_control() -> None:
    """Whatever their methods are."""
    arms = {"a": {"method": "lora", "tune": OWN}, "r": RANDOM | {"tune": OWN | {"seeds": 3}}}
    (problem,) = find_confounders(study(arms=arms, training={"learning_rate": 1e-5}))
    assert problem[0] == "arms.a.tune.seeds"
    assert problem[1].startswith("is 7, 8 for a and 1000, 1001, 1002 for its control r")
    assert find_confounders(study(arms=arms, confounded=True)) == []


def test_arms_that_differ_in_their_steps_alone_train_one_network() -> None:
    arms = {
        "plain": {},
        "fast": {"training": {"learning_rate": 1e-3, "epochs": 9, "batch_size": 4, "weight_decay": 0.5}},
        "random": {"init": "random"},
        "lora": {"method": "lora"},
        "wide": {"method": "lora", "lora": {"r": 64}},
        "short": {"training": {"max_length": 8}},
        "recomputed": {"training": {"gradient_checkpointing": True}},
    }
    study = Study.model_validate({"data": {"path": "x"}, "model": "m", "arms": arms, "confounded": True})
    networks = {run.arm: run.network for run in expand_runs(study)}
    assert networks["plain"] == networks["fast"]
    assert len({networks[name] for name in arms}) == len(arms) - 1
