"""Which runs meet in a pack and which do not, packs cut even, and the reason why a run must be alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart import load_study
from headstart.config.runs import Pack, expand_runs
from headstart.training.grouping import Group, cut_packs, group_runs, halve_pack
from headstart.training.prepare import prepare_study
from tiny import make_tiny_run

StudyFile = Callable[..., Path]
PAIR: dict[str, Any] = {"tuned": {"init": "pretrained"}, "random": {"init": "random"}}
WORDS = {"method": "bag-of-words"}


@pytest.fixture
def grouped(study_file: StudyFile) -> Callable[..., list[Group]]:
    """The groups of a study with the tiny model and arms of its own."""

    def make(**changes: Any) -> list[Group]:
        study = load_study(study_file(**{"arms": {**PAIR, "words": None}, **changes}))
        runs = expand_runs(study)
        prepared = prepare_study(study, runs)
        return group_runs([prepared.select(run) for run in runs])

    return make


def _arms(groups: list[Group]) -> list[list[str]]:
    return [list(dict.fromkeys(run.arm for run in group.runs)) for group in groups]


# Who meets


def test_arms_sizes_seeds_and_rates_of_one_architecture_meet(grouped: Callable[..., list[Group]]) -> None:
    (group,) = grouped(seeds=[0, 1], sizes=[20, "all"], tune={"learning_rate": [1e-3, 3e-3]})
    assert len(group.runs) == 2 * 2 * 2 * 2, "tuning seeds meet as others do"
    assert (group.reason, group.most) == (None, 16)


def test_a_group_keeps_the_studys_order(grouped: Callable[..., list[Group]]) -> None:
    (group,) = grouped(seeds=[1, 0])
    assert [run.key for run in group.runs] == ["tuned/all/1", "random/all/1", "tuned/all/0", "random/all/0"]


@pytest.mark.parametrize(
    "training",
    [
        {"learning_rate": 1e-5},
        {"weight_decay": 0.3},
        {"epochs": 4},
        {"clip": 0.0},
        {"schedule": "cosine", "warmup": 5},
        {"patience": 1},
        {"betas": [0.8, 0.9], "epsilon": 1e-8},
    ],
)
def test_what_each_member_has_for_itself_keeps_nobody_apart(
    grouped: Callable[..., list[Group]], training: dict[str, Any]
) -> None:
    arms = {**PAIR, "other": {"training": training}, "words": None}
    assert _arms(grouped(arms=arms, confounded=True)) == [["tuned", "random", "other"]]


@pytest.mark.parametrize(
    "training", [{"batch_size": 4}, {"accumulation": 2}, {"max_length": 9}, {"precision": "fp64"}]
)
def test_what_a_pack_shares_keeps_runs_apart(
    grouped: Callable[..., list[Group]], training: dict[str, Any]
) -> None:
    arms = {**PAIR, "other": {"training": training}, "words": None}
    assert _arms(grouped(arms=arms, confounded=True)) == [["tuned", "random"], ["other"]]


def test_another_architecture_is_another_group(
    grouped: Callable[..., list[Group]], tiny_roberta: Path
) -> None:
    arms = {**PAIR, "roberta": {"init": str(tiny_roberta)}, "words": None}
    assert _arms(grouped(arms=arms, confounded=True)) == [["tuned", "random"], ["roberta"]]


def _copied(checkpoint: Path, folder: Path, **config: Any) -> str:
    """The checkpoint in another folder, its configuration changed."""
    shutil.copytree(checkpoint, folder)
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(values | config), encoding="utf-8")
    return str(folder)


def test_another_checkpoint_of_the_architecture_meets_the_first(
    grouped: Callable[..., list[Group]], tiny_model: Path, tmp_path: Path
) -> None:
    arms = {**PAIR, "again": {"init": _copied(tiny_model, tmp_path / "again")}, "words": None}
    assert _arms(grouped(arms=arms)) == [["tuned", "random", "again"]]


def test_a_checkpoint_that_drops_out_another_share_does_not(
    grouped: Callable[..., list[Group]], tiny_model: Path, tmp_path: Path
) -> None:
    """The members of a stack share what is no weight."""
    arms = {
        **PAIR,
        "wetter": {"init": _copied(tiny_model, tmp_path / "wetter", hidden_dropout_prob=0.3)},
        "words": None,
    }
    assert _arms(grouped(arms=arms, confounded=True)) == [["tuned", "random"], ["wetter"]]


# Who is alone


def test_a_bag_of_words_is_alone_and_says_why(grouped: Callable[..., list[Group]]) -> None:
    neural, words = grouped(arms={**PAIR, "words": WORDS}, seeds=[0, 1])
    assert neural.reason is None
    assert {run.arm for run in words.runs} == {"words"}
    assert (words.reason, words.most) == ("a bag of words is fitted", 1)


def test_a_study_of_words_alone(grouped: Callable[..., list[Group]]) -> None:
    (words,) = grouped(arms={"words": WORDS})
    assert words.most == 1


def test_an_architecture_that_cannot_be_stacked_says_why(
    grouped: Callable[..., list[Group]], tiny_model: Path, tmp_path: Path
) -> None:
    """DeBERTa's first version holds biases of its own."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from conftest import SHAPE

    folder = tmp_path / "deberta"
    shutil.copytree(tiny_model, folder)
    config = AutoConfig.for_model("deberta", vocab_size=29, max_position_embeddings=64, **SHAPE)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    (group,) = grouped(model=str(folder), seeds=[0, 1])
    assert (len(group.runs), group.most) == (4, 1)
    assert str(group.reason).startswith("its deberta.encoder.layer.0.attention.self.q_bias is held by a ")
    assert [len(pack.runs) for pack in cut_packs([group], 4)] == [1] * 4


# Packs


def _group(count: int, reason: str | None = None, first: int = 0, **training: Any) -> Group:
    return Group(tuple(make_tiny_run(seed, **training) for seed in range(first, first + count)), reason)


def _sizes(packs: list[Pack]) -> list[int]:
    return [len(pack.runs) for pack in packs]


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (7, 3, [2, 2, 3]),
        (8, 4, [4, 4]),
        (9, 8, [4, 5]),
        (10, 4, [3, 3, 4]),
        (3, 8, [3]),
        (5, 1, [1] * 5),
        (1, 4, [1]),
    ],
)
def test_a_group_is_cut_as_even_as_can_be(count: int, size: int, sizes: list[int]) -> None:
    packs = cut_packs([_group(count)], size)
    assert _sizes(packs) == sizes
    assert [run for pack in packs for run in pack.runs] == list(_group(count).runs)


def test_packs_hold_runs_of_one_group_only() -> None:
    both = [_group(3), _group(5, first=3, batch_size=4)]
    packs = cut_packs(both, 4)
    assert _sizes(packs) == [3, 2, 3]
    assert all(len({run.training.batch_size for run in pack.runs}) == 1 for pack in packs)


def test_runs_that_must_be_alone_are_alone_in_any_size() -> None:
    assert _sizes(cut_packs([_group(3, "fitted"), _group(3)], 3)) == [1, 1, 1, 3]


def test_bags_of_words_come_last(grouped: Callable[..., list[Group]]) -> None:
    packs = cut_packs(grouped(arms={"words": WORDS, **PAIR}, seeds=[0, 1]), 2)
    assert [[run.arm for run in pack.runs] for pack in packs] == [
        ["tuned", "random"],
        ["tuned", "random"],
        ["words"],
        ["words"],
    ]


@pytest.mark.parametrize(
    ("count", "sizes"), [(2, [1, 1]), (3, [1, 2]), (4, [2, 2]), (5, [2, 3]), (9, [4, 5])]
)
def test_halves_hold_all_runs_once(count: int, sizes: list[int]) -> None:
    pack = Pack(_group(count).runs)
    packs = halve_pack(pack)
    assert _sizes(packs) == sizes
    assert tuple(run for part in packs for run in part.runs) == pack.runs
