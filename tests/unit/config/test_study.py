"""The study's types: which arms a study has, what its defaults are, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headstart.config.metrics import is_better
from headstart.config.study import Data, Split, Study, Training
from headstart.config.traits import TASKS, TaskName, get_task_traits

RANDOM = {"init": "random"}
BAG = {"method": "bag-of-words"}


def study(**values: Any) -> Study:
    return Study.model_validate({"data": {"path": "a.csv"}, "model": "m", **values})


PAIR = {"path": "a.csv", "text": ["a", "b"]}


def test_study_that_names_no_arms_has_three() -> None:
    arms = study().arms
    assert list(arms) == ["pretrained", "random", "words"]
    assert [arms[name].init for name in ("pretrained", "random")] == ["pretrained", "random"]
    assert [arm.method for arm in arms.values()] == ["full", "full", "bag-of-words"]


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_words_arm_is_added_for_every_task(task: str) -> None:
    assert list(study(task=task, arms={"a": {}}).arms) == ["a", "words"]


@pytest.mark.parametrize("nothing", [None, False])
def test_words_arm_is_taken_out_by_null(nothing: object) -> None:
    assert list(study(arms={"a": {}, "words": nothing}).arms) == ["a"]


def test_words_taken_out_alone_leaves_the_default_arms() -> None:
    assert list(study(arms={"words": None}).arms) == ["pretrained", "random"]


def test_words_arm_is_not_added_to_a_pair() -> None:
    assert list(study(data=PAIR, arms={"a": {}}).arms) == ["a"]


def test_words_arm_is_not_added_to_a_typed_pair() -> None:
    assert list(study(data=Data(path="a.csv", text=("a", "b"))).arms) == ["pretrained", "random"]


def test_words_arm_is_not_added_beside_another_bag_of_words() -> None:
    assert list(study(arms={"a": {}, "tfidf": BAG}).arms) == ["a", "tfidf"]


def test_arm_called_words_is_kept_as_it_is() -> None:
    assert study(arms={"words": RANDOM}).arms["words"].method == "full"


def test_bag_of_words_reads_no_pair() -> None:
    with pytest.raises(ValidationError, match="bag-of-words reads one text"):
        study(data=PAIR, arms={"a": {}, "words": BAG})


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        ({"a": {}, "b": RANDOM}, "b"),
        ({"a": {}, "b": RANDOM, "c": RANDOM}, "b"),
        ({"a": {}}, "words"),
        ({"tfidf": BAG, "a": {}}, "tfidf"),
        ({"a": {}, "words": None}, None),
        ({"a": {}, "b": {"init": "org/x"}, "words": None}, None),
        ({"a": RANDOM, "words": None}, None),
    ],
)
def test_control_is_the_random_arm_or_else_the_words(arms: dict[str, Any], control: str | None) -> None:
    assert study(arms=arms).control_arm == control


def test_control_named_in_the_study_wins() -> None:
    assert study(control="pretrained").control_arm == "pretrained"


def test_control_that_is_no_arm_is_refused() -> None:
    with pytest.raises(ValidationError, match="no arm is named 'x'; the arms are pretrained, random, words"):
        study(control="x")


@pytest.mark.parametrize(
    ("task", "metric"),
    [("classification", "accuracy"), ("multi-label", "macro_f1"), ("regression", "pearson")],
)
def test_each_task_has_its_own_metric(task: str, metric: str) -> None:
    assert study(task=task).metric == metric


@pytest.mark.parametrize("task", list(TASKS))
def test_every_metric_of_the_task_can_choose_the_epoch(task: TaskName) -> None:
    for metric in get_task_traits(task).metrics:
        assert study(task=task, select={"metric": metric}).metric == metric


def test_metric_of_another_task_is_refused() -> None:
    with pytest.raises(ValidationError, match="'accuracy' is not a metric of regression; one of pearson"):
        study(task="regression", select={"metric": "accuracy"})


def test_epoch_is_never_chosen_on_the_test() -> None:
    with pytest.raises(ValidationError, match="should be 'valid'"):
        study(select={"on": "test"})


@pytest.mark.parametrize(
    ("metric", "new", "old", "wins"),
    [
        ("accuracy", 0.8, 0.7, True),
        ("accuracy", 0.7, 0.7, False),
        ("accuracy", 0.6, 0.7, False),
        ("loss", 0.6, 0.7, True),
        ("loss", 0.7, 0.7, False),
        ("rmse", 0.8, 0.7, False),
        ("accuracy", 0.0, None, True),
        ("accuracy", float("nan"), None, False),
        ("accuracy", float("nan"), 0.1, False),
        ("accuracy", 0.1, float("nan"), True),
    ],
)
def test_better_is_strict_and_knows_the_direction(
    metric: str, new: float, old: float | None, wins: bool
) -> None:
    assert is_better(metric, new, old) is wins


@pytest.mark.parametrize(
    ("given", "seeds"), [(1, (0,)), (4, (0, 1, 2, 3)), ([7, 3], (7, 3)), ((5,), (5,)), ([0], (0,))]
)
def test_seeds_are_a_count_or_a_list(given: object, seeds: tuple[int, ...]) -> None:
    assert study(seeds=given).seeds == seeds


@pytest.mark.parametrize("given", [0, -1, [], [1, 1], [-1], True, "three"])
def test_seeds_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(ValidationError, match="seeds"):
        study(seeds=given)


@pytest.mark.parametrize(
    ("given", "sizes"), [("all", ("all",)), (100, (100,)), ([2, "all"], (2, "all")), ([9, 3], (9, 3))]
)
def test_sizes_are_one_or_many(given: object, sizes: tuple[object, ...]) -> None:
    assert study(sizes=given).sizes == sizes


@pytest.mark.parametrize("given", [1, 0, [], [8, 8], ["all", "all"], "half", [-5]])
def test_sizes_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(ValidationError, match="sizes"):
        study(sizes=given)


@pytest.mark.parametrize("name", ["a/b", "", "..", ".a", "a b", "é", "a\n"])
def test_arm_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="letters, digits"):
        study(arms={name: {}})


@pytest.mark.parametrize("workers", ["auto", 0, 3])
def test_workers_are_auto_or_a_count(workers: object) -> None:
    assert study(workers=workers).workers == workers


def test_negative_workers_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"'auto', 0 .* or more expected, got -1"):
        study(workers=-1)


def test_data_needs_a_source() -> None:
    with pytest.raises(
        ValidationError, match="one of train, path, hub, asset, fairseq expected, got none of them"
    ):
        Data()


def test_data_has_one_source() -> None:
    with pytest.raises(ValidationError, match="expected, got train and hub"):
        Data(train="a", hub="b")


@pytest.mark.parametrize("source", ["path", "hub", "asset"])
def test_valid_and_test_go_with_train_alone(source: str) -> None:
    with pytest.raises(ValidationError, match=f"valid and test go with train, not with {source}"):
        Data.model_validate({source: "a", "test": "b"})


@pytest.mark.parametrize("key", ["subset", "revision"])
def test_subset_and_revision_go_with_hub_alone(key: str) -> None:
    assert Data.model_validate({"hub": "a", key: "x"}).hub == "a"
    with pytest.raises(ValidationError, match="subset and revision go with hub, not with path"):
        Data.model_validate({"path": "a", key: "x"})


def test_data_is_a_pair_with_two_columns() -> None:
    assert Data(path="a", text=("p", "q")).is_pair
    assert not Data(path="a", text="p").is_pair


@pytest.mark.parametrize("text", [["a"], ["a", "b", "c"], []])
def test_text_is_one_column_or_two(text: list[str]) -> None:
    with pytest.raises(ValidationError, match="text"):
        Data.model_validate({"path": "a", "text": text})


def test_label_columns_go_with_multi_label() -> None:
    data = {"path": "a", "label": ["x", "y"]}
    assert study(data=data, task="multi-label").data.label == ("x", "y")
    with pytest.raises(ValidationError, match="goes with task: multi-label, not with classification"):
        study(data=data)


def test_split_leaves_something_to_train_on() -> None:
    with pytest.raises(ValidationError, match=r"valid \+ test is 1; below 1 expected"):
        Split(valid=0.5, test=0.5)


def test_epochs_and_steps_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="epochs and steps both set"):
        Training(epochs=3, steps=100)


@pytest.mark.parametrize("beta", [1.0, -0.1])
def test_betas_stay_below_one(beta: float) -> None:
    with pytest.raises(ValidationError, match="from 0 up to, not including, 1"):
        Training(betas=(0.9, beta))


@pytest.mark.parametrize("rate", [0, -1e-5, float("nan"), float("inf"), 30])
def test_learning_rate_is_a_small_positive_number(rate: float) -> None:
    with pytest.raises(ValidationError, match="learning_rate"):
        Training(learning_rate=rate)


def test_override_takes_what_the_other_sets() -> None:
    merged = Training(epochs=9, batch_size=4).override(Training(batch_size=8))
    assert (merged.epochs, merged.batch_size, merged.learning_rate) == (9, 8, None)


def test_override_takes_a_default_that_is_spelt_out() -> None:
    assert Training(batch_size=4).override(Training(batch_size=16)).batch_size == 16


def test_override_by_nothing_changes_nothing() -> None:
    mine = Training(steps=7, clip=0.5)
    assert mine.override(Training()) == mine


def test_override_by_steps_ends_the_epochs() -> None:
    merged = Training(epochs=9).override(Training(steps=100))
    assert (merged.steps, merged.model_fields_set) == (100, {"steps"})


def test_override_by_epochs_ends_the_steps() -> None:
    merged = Training(steps=100).override(Training(epochs=2))
    assert (merged.steps, merged.epochs) == (None, 2)


def test_study_is_frozen() -> None:
    parsed = study()
    with pytest.raises(ValidationError, match="frozen"):
        parsed.model = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        parsed.training.epochs = 4  # type: ignore[misc]


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        study(epochs=3)


def test_schema_knows_every_key_and_what_is_required() -> None:
    schema = Study.model_json_schema()
    assert set(schema["properties"]) == set(Study.model_fields)
    assert schema["required"] == ["data", "model"]
    assert schema["additionalProperties"] is False


def test_schema_lets_seeds_be_a_count_or_a_list() -> None:
    kinds = [kind["type"] for kind in Study.model_json_schema()["properties"]["seeds"]["anyOf"]]
    assert kinds == ["integer", "array"]


@pytest.mark.parametrize(
    ("more", "valid"),
    [
        ({"seeds": 3, "sizes": [125, "all"]}, True),
        ({"seeds": [0, 4], "sizes": "all"}, True),
        ({"arms": {"a": {"training": {"learning_rate": 1e-4}}, "b": RANDOM}}, True),
        ({"seeds": "three"}, False),
        ({"epochs": 3}, False),
    ],
)
def test_schema_judges_examples(more: dict[str, Any], valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    example = {"data": {"path": "a.csv"}, "model": "m", **more}
    assert jsonschema.Draft202012Validator(Study.model_json_schema()).is_valid(example) is valid


def test_schema_lets_the_words_be_taken_out() -> None:
    words = Study.model_json_schema()["properties"]["arms"]["properties"]["words"]
    assert words["anyOf"] == [{"$ref": "#/$defs/Arm"}, {"type": "null"}, {"const": False}]


def test_grid_is_read_in_its_order() -> None:
    grid = study(tune={"weight_decay": [0.1, 0.01], "learning_rate": [3e-5, 1e-5]}).tune
    assert grid is not None
    assert list(grid.axes.items()) == [("learning_rate", (3e-5, 1e-5)), ("weight_decay", (0.1, 0.01))]


def test_nothing_is_tuned_unless_asked_for() -> None:
    assert (study().tune, study().arms["random"].tune) == (None, None)


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({}, "learning_rate or weight_decay expected, or both, got neither"),
        ({"learning_rate": []}, "at least one expected, got an empty list"),
        ({"learning_rate": [1e-5, 1e-5]}, r"each at most once expected, got \[1e-05, 1e-05\]"),
        ({"learning_rate": [1e-5, 1.0000001e-5]}, "each at most once expected"),
        ({"learning_rate": [0]}, "greater than 0"),
        ({"learning_rate": [10]}, "less than 10"),
        ({"weight_decay": [-0.1]}, "greater than or equal to 0"),
        ({"epochs": [3]}, "Extra inputs are not permitted"),
    ],
)
def test_grid_that_cannot_be_tried_is_refused(tune: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        study(tune=tune)


def test_bag_of_words_has_no_grid() -> None:
    with pytest.raises(ValidationError, match=r"arms\.words\.tune: a bag of words chooses its own strength"):
        study(arms={"a": {}, "words": {**BAG, "tune": {"weight_decay": [0.1]}}})


@pytest.mark.parametrize("where", ["study", "arm"])
def test_arm_sets_nothing_that_its_grid_tries(where: str) -> None:
    grid = {"tune": {"learning_rate": [1e-5, 1e-4]}}
    arm = {"training": {"learning_rate": 1e-4}} | (grid if where == "arm" else {})
    message = r"arms\.a\.training\.learning_rate: is set beside a grid .*: arms\.a\.tune"
    with pytest.raises(ValidationError, match=message):
        study(arms={"a": arm}, **(grid if where == "study" else {}))


def test_arm_may_set_what_its_grid_does_not_try() -> None:
    arms = {"a": {"training": {"learning_rate": 1e-4}}, "bag": BAG | {"training": {"weight_decay": 1}}}
    assert study(arms=arms, tune={"weight_decay": [0.1]}).arms["a"].training.learning_rate == 1e-4


def test_rate_of_the_study_may_stand_beside_a_grid() -> None:
    arms = {"a": {"training": {"learning_rate": None}}}
    assert study(training={"learning_rate": 1e-5}, tune={"learning_rate": [1e-4]}, arms=arms).tune is not None


def test_vocabulary_in_use_is_trained_unless_asked_otherwise() -> None:
    assert (study().vocabulary, study(vocabulary="full").vocabulary) == ("used", "full")


# Tuning seeds


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [(None, (1000, 1001)), (3, (1000, 1001, 1002)), ([5, 4], (5, 4)), ("shared", "shared")],
)
def test_settings_are_chosen_by_seeds_of_their_own(seeds: Any, expected: Any) -> None:
    given = {} if seeds is None else {"seeds": seeds}
    tune = study(tune={"learning_rate": [1e-5]} | given).tune
    assert tune is not None
    assert tune.seeds == expected


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (0, "at least 1 seed expected, got 0"),
        ([], "at least one expected, got an empty list"),
        ([3, 3], r"each at most once expected, got \[3, 3\]"),
        ([-1], "greater than or equal to 0"),
        ("own", "a count, a list of seeds, or shared expected, got 'own'"),
    ],
)
def test_tuning_seeds_that_are_none_are_refused(seeds: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        study(tune={"learning_rate": [1e-5], "seeds": seeds})


def test_no_seed_both_chooses_and_judges() -> None:
    message = r"tune\.seeds: seeds 1, 2 would both choose the setting and evaluate it"
    with pytest.raises(ValidationError, match=message):
        study(seeds=3, tune={"learning_rate": [1e-5], "seeds": [1, 2, 3]})
    with pytest.raises(ValidationError, match=r"arms\.a\.tune\.seeds: seed 0 would both choose"):
        study(seeds=1, arms={"a": {"tune": {"learning_rate": [1e-5], "seeds": [0]}}, "words": None})
