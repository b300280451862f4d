"""Splits and subsets are stratified, nested and a function of their seed; groups stay whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from headstart.config.study import Split
from headstart.data.corpus import PARTS, Examples, Part, Row
from headstart.data.splits import draw_stratified_order, draw_subset, split_rows
from headstart.errors import DataError

SEEDS = [0, 1, 2, 17, 12345]
#: Members of each class in a few shapes of training data.
SHAPES = [(50, 50), (90, 10), (300, 30, 3), (7, 11, 13, 17), (1, 1, 1), (64,)]


def rows(labels: list[Any], groups: list[str] | None = None) -> list[Row]:
    names: Sequence[str | None] = groups or [None] * len(labels)
    pairs = zip(labels, names, strict=True)
    return [Row(i, f"a.csv:{i + 2}", f"text {i}", label, group) for i, (label, group) in enumerate(pairs)]


def ids(parts: Mapping[Part, Sequence[Row]]) -> dict[Part, list[int]]:
    return {part: [row.id for row in part_rows] for part, part_rows in parts.items()}


def examples(labels: list[int]) -> Examples:
    return Examples([f"text {i}" for i in range(len(labels))], np.array(labels, np.int64), range(len(labels)))


def strata_of(shape: tuple[int, ...]) -> list[int]:
    return [stratum for stratum, count in enumerate(shape) for _ in range(count)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_order_holds_every_index_once(shape: tuple[int, ...], seed: int) -> None:
    order = draw_stratified_order(strata_of(shape), np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(sum(shape)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_prefix_has_the_wholes_proportions(shape: tuple[int, ...], seed: int) -> None:
    strata = strata_of(shape)
    order = draw_stratified_order(strata, np.random.default_rng(seed))
    seen = np.eye(len(shape))[[strata[i] for i in order]].cumsum(0)
    proportions = np.array(shape) / sum(shape)
    wanted = np.arange(1, sum(shape) + 1)[:, None] * proportions
    # Half a member for rounding, and this stratum's share of what the rounding of all strata adds up to.
    assert (np.abs(seen - wanted) <= 0.5 + proportions * len(shape) / 2 + 1e-9).all()


def test_members_of_a_stratum_come_in_random_order() -> None:
    orders = {tuple(draw_stratified_order([0] * 6, np.random.default_rng(seed))) for seed in range(20)}
    assert len(orders) > 15


@pytest.mark.parametrize("seed", SEEDS)
def test_subsets_of_one_seed_are_nested(seed: int) -> None:
    train = examples(strata_of((60, 30, 10)))
    chosen = [set(draw_subset(train, size, seed).tolist()) for size in (2, 5, 10, 33, 99, 100)]
    assert all(small < large for small, large in pairwise(chosen))
    assert [len(subset) for subset in chosen] == [2, 5, 10, 33, 99, 100]


@pytest.mark.parametrize("seed", SEEDS)
def test_subset_is_stratified_by_class(seed: int) -> None:
    train = examples(strata_of((60, 30, 10)))
    assert Counter(train.labels[draw_subset(train, 50, seed)].tolist()) == {0: 30, 1: 15, 2: 5}


def test_subset_is_ascending() -> None:
    subset = draw_subset(examples([0, 1] * 50), 40, 3).tolist()
    assert subset == sorted(subset)


def test_subset_of_all_is_everything() -> None:
    assert draw_subset(examples([0, 1, 1]), "all", 5).tolist() == [0, 1, 2]


def test_subset_is_a_function_of_its_seed() -> None:
    train = examples([0, 1] * 50)
    assert draw_subset(train, 20, 4).tolist() == draw_subset(train, 20, 4).tolist()
    assert draw_subset(train, 20, 4).tolist() != draw_subset(train, 20, 5).tolist()


@pytest.mark.parametrize("labels", [np.zeros((40, 3), np.float32), np.arange(40, dtype=np.float32)])
def test_subset_without_classes_is_random_and_nested(labels: np.ndarray) -> None:
    train = Examples([f"text {i}" for i in range(40)], labels, range(40))
    small, large = draw_subset(train, 10, 0).tolist(), draw_subset(train, 20, 0).tolist()
    assert set(small) < set(large)
    assert small != list(range(10))


def test_split_has_the_shares_asked_for() -> None:
    parts = split_rows({"train": rows([0, 1] * 100)}, Split(valid=0.1, test=0.3), stratify=True)
    assert {part: len(part_rows) for part, part_rows in parts.items()} == {
        "train": 120,
        "valid": 20,
        "test": 60,
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_split_is_stratified(seed: int) -> None:
    labels = ["x"] * 160 + ["y"] * 40
    parts = split_rows({"train": rows(labels)}, Split(valid=0.1, test=0.2, seed=seed), stratify=True)
    counts = {part: Counter(str(row.label) for row in parts[part]) for part in PARTS}
    assert counts["test"] == {"x": 32, "y": 8}
    assert counts["valid"] == {"x": 16, "y": 4}


@pytest.mark.parametrize("grouped", [False, True])
def test_split_deals_every_row_once(grouped: bool) -> None:
    groups = [f"g{i // 3}" for i in range(90)] if grouped else None
    parts = split_rows({"train": rows([0, 1] * 45, groups)}, Split(), stratify=True)
    assert list(parts) == ["train", "valid", "test"]
    assert sorted(i for part_ids in ids(parts).values() for i in part_ids) == list(range(90))


@pytest.mark.parametrize("grouped", [False, True])
def test_parts_keep_the_sources_order(grouped: bool) -> None:
    groups = [f"g{i % 20}" for i in range(90)] if grouped else None
    parts = split_rows({"train": rows([0, 1] * 45, groups)}, Split(), stratify=True)
    assert all(part_ids == sorted(part_ids) for part_ids in ids(parts).values())


@pytest.mark.parametrize("grouped", [False, True])
def test_split_is_a_function_of_its_seed(grouped: bool) -> None:
    train = rows([0, 1] * 45, [f"g{i % 30}" for i in range(90)] if grouped else None)
    zero, again, first = (ids(split_rows({"train": train}, Split(seed=s), stratify=True)) for s in (0, 0, 1))
    assert zero == again
    assert zero["test"] != first["test"]


def test_split_without_strata_ignores_the_labels() -> None:
    numbers = split_rows({"train": rows(list(range(50)))}, Split(), stratify=False)
    constant = split_rows({"train": rows([1] * 50)}, Split(), stratify=False)
    assert ids(numbers) == ids(constant)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_stay_whole(seed: int) -> None:
    groups = [f"film {(i * i) % 37}" for i in range(300)]
    parts = split_rows({"train": rows([0, 1] * 150, groups)}, Split(seed=seed), stratify=True)
    homes = [{part for part in PARTS for row in parts[part] if row.group == name} for name in set(groups)]
    assert all(len(home) == 1 for home in homes)


@pytest.mark.parametrize("seed", SEEDS)
def test_group_split_comes_near_the_shares(seed: int) -> None:
    groups = [f"g{i // 5}" for i in range(1000)]
    parts = split_rows(
        {"train": rows([0, 1] * 500, groups)}, Split(valid=0.1, test=0.2, seed=seed), stratify=True
    )
    assert abs(len(parts["valid"]) - 100) <= 5
    assert abs(len(parts["test"]) - 200) <= 5


def test_given_parts_are_left_alone() -> None:
    given: dict[Part, list[Row]] = {
        "train": rows([0, 1]),
        "valid": rows([1]),
        "test": rows([0]),
    }
    assert split_rows(given, Split(), stratify=True) == given


@pytest.mark.parametrize(("given", "split_off"), [("test", "valid"), ("valid", "test")])
def test_absent_part_alone_is_split_off(given: Part, split_off: Part) -> None:
    kept = rows([0, 1, 0])
    parts = split_rows({"train": rows([0, 1] * 50), given: kept}, Split(valid=0.2, test=0.2), stratify=True)
    assert parts[given] == kept
    assert (len(parts[split_off]), len(parts["train"])) == (20, 80)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_too_few_rows_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=rf"^data\.split: {count} rows are too few rows to split into "):
        split_rows({"train": rows([0] * count)}, Split(), stratify=True)


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError, match="40 rows are too few groups to split into valid, test, train"):
        split_rows({"train": rows([0, 1] * 20, ["one"] * 40)}, Split(), stratify=True)


def test_rare_class_stays_in_training() -> None:
    for seed in range(20):
        parts = split_rows({"train": rows(["x"] * 99 + ["rare"])}, Split(seed=seed), stratify=True)
        assert [row.id for row in parts["train"]][-1] == 99


def test_taken_examples_keep_their_labels_and_ids() -> None:
    selected = Examples(["a", "b", "c"], np.array([0, 1, 2]), [7, 8, 9]).select(np.array([2, 0]))
    assert (list(selected.texts), selected.labels.tolist(), list(selected.ids)) == (
        ["c", "a"],
        [2, 0],
        [9, 7],
    )
