"""What a plan says of rates, ranks and frozen noise, and where it has nothing to say."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.config.fairness import find_confounders
from headstart.config.study import Study
from headstart.planning.comparability import warn_of_settings
from headstart.records import Parameters

FULL: dict[str, Any] = {}
LORA: dict[str, Any] = {"method": "lora"}
PROBE: dict[str, Any] = {"method": "probe"}
RANDOM_LORA: dict[str, Any] = {"init": "random", "method": "lora"}
COUNTED = {"random": Parameters(total=100_000, trainable=1600)}


def make(arms: dict[str, Any], **changes: Any) -> Study:
    base = {"data": {"path": "a.csv"}, "model": "m", "arms": arms | {"words": None}}
    return Study.model_validate(base | changes)


def warn(arms: dict[str, Any], **changes: Any) -> dict[str, str]:
    """The messages by kind."""
    return {w.kind: w.message for w in warn_of_settings(make(arms, **changes), COUNTED)}


def test_a_rate_for_all_that_suits_few_names_the_arms_and_the_way_out() -> None:
    arms = {"full": FULL, "lora": LORA, "probe": PROBE}
    message = warn(arms, training={"learning_rate": 1e-4})["learning-rate"]
    assert "training.learning_rate 0.0001 is used for arms of several methods" in message
    assert "full (3e-05), lora (0.0002), probe (0.001)" in message
    assert "training.learning_rate.full=0.0001" in message
    written = message.partition("write training: ")[2].partition(" (methods left out")[0]
    assert not warn(arms, training=YAML(typ="safe").load(written))


@pytest.mark.parametrize(
    ("arms", "training"),
    [
        ({"full": FULL, "lora": LORA}, {}),
        ({"full": FULL, "lora": LORA}, {"learning_rate": {"full": 1e-3, "lora": 1}}),
        ({"full": FULL, "random": {"init": "random"}}, {"learning_rate": 1e-3}),
        ({"lora": LORA, "wide": {"method": "lora", "lora": {"r": 64}}}, {"learning_rate": 1e-5}),
        ({"lora": LORA, "ia3": {"method": "peft", "peft": {"peft_type": "IA3"}}}, {"learning_rate": 3e-4}),
        ({"lora": LORA, "full": {"training": {"learning_rate": 1e-5}}}, {"learning_rate": 1e-2}),
    ],
)
def test_a_rate_that_replaces_none_unawares_is_not_warned_of(
    arms: dict[str, Any], training: dict[str, Any]
) -> None:
    assert not warn(arms, training=training, confounded=True)


@pytest.mark.parametrize(("rate", "named"), [(1e-4, True), (1.1e-4, False), (3.9e-4, False), (4e-4, True)])
def test_a_factor_of_two_is_far(rate: float, named: bool) -> None:
    message = warn({"full": FULL, "lora": LORA}, training={"learning_rate": rate})["learning-rate"]
    assert ("lora (0.0002)" in message) is named


def test_a_grid_that_leaves_a_methods_own_rate_out_is_said() -> None:
    arms = {"full": FULL, "lora": LORA, "probe": PROBE}
    message = warn(arms, tune={"learning_rate": [1e-5, 3e-5, 1e-4]})["learning-rate-grid"]
    assert "tries 1e-05 to 0.0001" in message
    assert "lora (0.0002), probe (0.001) are outside" in message
    assert "full" not in message.partition("are outside")[0]
    assert not warn(arms, tune={"learning_rate": [1e-5, 1e-3]})
    assert not warn(arms, tune={"learning_rate": {"full": [1e-3], "lora": [1e-5]}})
    assert not warn({"full": FULL}, tune={"learning_rate": [1e-3]})
    own = LORA | {"tune": {"learning_rate": [1e-4, 1e-3]}}
    assert not warn({"full": FULL, "lora": own}, tune={"learning_rate": [1e-5, 1e-4]})


def _rank(r: int, **more: Any) -> dict[str, Any]:
    return {"method": "lora", "lora": {"r": r} | more}


@pytest.mark.parametrize(
    ("low", "high", "is_said"),
    [
        ({}, {}, False),
        ({"rslora": True}, {}, False),
        ({"rslora": True, "alpha": 32}, {"rslora": True, "alpha": 32}, False),
        ({"alpha": 16}, {"alpha": 64}, False),
        ({"alpha": 8}, {"alpha": 128}, True),
        ({"alpha": 32}, {"alpha": 32}, True),
        ({"rslora": True}, {"rslora": True, "alpha": 128}, True),
    ],
)
def test_ranks_whose_updates_differ_in_size_are_said(
    low: dict[str, Any], high: dict[str, Any], is_said: bool
) -> None:
    said = warn({"low": _rank(4, **low), "high": _rank(64, **high)})
    assert set(said) == ({"rank-and-scale"} if is_said else set())
    if is_said:
        assert "low r=4 scale" in said["rank-and-scale"]


def test_one_rank_or_rates_of_their_own_are_no_confounding() -> None:
    assert not warn({"a": _rank(8, alpha=8), "b": _rank(8, alpha=64)})
    tried = {"low": _rank(4, alpha=8), "high": _rank(64, alpha=128)}
    assert not warn(tried, tune={"learning_rate": [1e-4, 1e-3]})


@pytest.mark.parametrize(
    ("others", "tune", "alike"),
    [
        ({"lora": LORA}, None, []),
        ({"lora": LORA}, {"learning_rate": [1e-4, 1e-3], "seeds": [7]}, []),
        ({"lora": LORA}, {"learning_rate": [1e-4, 1e-3], "seeds": "shared"}, []),
        ({"lora": LORA, "full": FULL}, None, ["full"]),
    ],
)
def test_random_weights_under_adapters_are_said_with_lines_that_can_be_written(
    others: dict[str, Any], tune: dict[str, Any] | None, alike: list[str]
) -> None:
    arms = others | {"random": RANDOM_LORA}
    message = warn(arms, tune=tune)["frozen-noise"]
    assert "random: method lora trains 1.6% (1,600 of 100,000 weights) of a random network" in message
    line, _, also = message.partition("at its own rate: arms: ")[2].partition(", and the same tune in ")
    assert also.split(", ") == (alike or [""])
    written = YAML(typ="safe").load(line)
    assert written["random"]["tune"]["learning_rate"] == [3e-5, 1e-4, 3e-4, 1e-3]
    tuned = {name: {"tune": written["random"]["tune"]} for name in alike}
    mended = make(arms | written | tuned, tune=tune)
    assert mended.control_arm == "random"
    assert not find_confounders(mended)
    assert "frozen-noise" not in {w.kind for w in warn_of_settings(mended, COUNTED)}


def test_what_is_not_counted_is_said_without_a_share() -> None:
    said = list(warn_of_settings(make({"random": RANDOM_LORA}), {}))
    assert "method lora trains a part of a random network" in said[0].message


@pytest.mark.parametrize("arm", [{"init": "random"}, LORA, {"init": "random", "method": "none"}])
def test_what_trains_whole_or_from_a_checkpoint_or_not_at_all_is_not_said(arm: dict[str, Any]) -> None:
    more = {"task": "instruction"} if arm.get("method") == "none" else {}
    assert not warn({"a": arm, "b": LORA}, **more)


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (
            {"keep": "embeddings"},
            "a network that is random but for its embeddings; the rest stays at",
        ),
        ({"shuffle": "matrices"}, "a shuffled network; the rest stays shuffled"),
    ],
)
def test_a_partial_start_under_a_frozen_base_is_noise_too(init: dict[str, str], words: str) -> None:
    said = warn({"full": FULL, "part": {"init": init, "method": "lora"}})["frozen-noise"]
    assert words in said
    (key, value), *_ = init.items()
    line = said.partition("arms: {part: ")[2].partition("}}")[0] + "}}"
    mended = YAML(typ="safe").load(line.replace("...", "1"))
    assert mended["init"] == {key: value}
