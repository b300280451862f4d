"""Which texts a seed learns from: folds as scikit-learn cuts them, samples as a multinomial counts them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from headstart.config.study import Data
from headstart.data.corpus import Examples, Row
from headstart.data.splits import draw_subset
from headstart.data.training_texts import (
    check_folds,
    draw_bootstrap,
    draw_training_texts,
    leave_out_fold,
    number_groups,
)
from headstart.errors import DataError

SEEDS = range(6)


def examples(labels: list[int] | np.ndarray, groups: list[int] | None = None) -> Examples:
    count = len(labels)
    named = None if groups is None else np.array(groups)
    return Examples([f"text {i}" for i in range(count)], np.array(labels), range(count), named)


NUMBERS = examples(np.linspace(0, 1, 23).astype(np.float32))
FILMS = examples([0, 1] * 60, [i // (2 + i % 5) for i in range(120)])


def data(rule: str, **more: int) -> Data:
    return Data.model_validate({"path": "a.csv", "training_texts": rule, **more})


@pytest.mark.parametrize("n_folds", [2, 5, 23])
def test_folds_are_as_large_as_scikit_learns(n_folds: int) -> None:
    sizes = sorted(len(leave_out_fold(NUMBERS, n_folds, seed)) for seed in range(n_folds))
    assert sizes == sorted(len(kept) for kept, _ in KFold(n_folds).split(NUMBERS.texts))


def test_folds_of_classes_hold_as_many_of_each_as_scikit_learns() -> None:
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    for seed in range(5):
        kept = Counter(labels[leave_out_fold(examples(labels), 5, seed)].tolist())
        assert kept == {0: 48, 1: 24, 2: 8}
    for kept_by_peer, _ in StratifiedKFold(5).split(labels, labels):
        assert Counter(labels[kept_by_peer].tolist()) == {0: 48, 1: 24, 2: 8}


@pytest.mark.parametrize(
    "train", [NUMBERS, FILMS, examples([0, 1] * 20)], ids=["numbers", "groups", "classes"]
)
@pytest.mark.parametrize("first", [0, 5, 10])
def test_each_text_is_left_out_once_in_a_division(train: Examples, first: int) -> None:
    left_out = [set(range(len(train))) - set(leave_out_fold(train, 5, first + i).tolist()) for i in range(5)]
    assert sorted(i for fold in left_out for i in fold) == list(range(len(train)))


def test_each_division_is_another() -> None:
    divisions = [frozenset(tuple(leave_out_fold(NUMBERS, 5, 5 * i + j)) for j in range(5)) for i in range(4)]
    assert len(set().union(*divisions)) == 20


def test_groups_are_left_out_whole_and_in_folds_of_like_size() -> None:
    assert FILMS.groups is not None
    for seed in range(10):
        kept = leave_out_fold(FILMS, 5, seed)
        left_out = np.setdiff1d(np.arange(120), kept)
        assert not set(FILMS.groups[kept]) & set(FILMS.groups[left_out])
        assert 16 <= len(left_out) <= 32


def test_a_bootstrap_sample_counts_texts_as_a_multinomial_does() -> None:
    """N of N with equal chances: a mean of 1, a variance of 1 - 1/N, and 1 - (1 - 1/N)^N drawn at all."""
    n, repeats = 50, 2000
    train = examples(np.zeros(n, np.float32))
    counts = np.array([np.bincount(draw_bootstrap(train, seed), minlength=n) for seed in range(repeats)])
    peer = np.random.default_rng(0).multinomial(n, [1 / n] * n, size=repeats)
    assert (counts.sum(1) == n).all()
    assert counts.var() == pytest.approx(1 - 1 / n, abs=0.02)
    assert counts.var() == pytest.approx(peer.var(), abs=0.03)
    assert (counts > 0).mean() == pytest.approx(1 - (1 - 1 / n) ** n, abs=0.005)
    between = np.corrcoef(counts[:, 0], counts[:, 1])[0, 1]
    assert between == pytest.approx(-1 / (n - 1), abs=0.08)


def test_groups_are_drawn_whole() -> None:
    assert FILMS.groups is not None
    sizes = Counter(FILMS.groups.tolist())
    for seed in SEEDS:
        drawn = draw_bootstrap(FILMS, seed)
        times = Counter(drawn.tolist())
        by_group = {group: {times[i] for i in np.flatnonzero(FILMS.groups == group)} for group in sizes}
        assert all(len(counts) == 1 for counts in by_group.values())
        assert sum(next(iter(counts)) for counts in by_group.values()) == len(sizes)


@pytest.mark.parametrize("rule", ["folds", "bootstrap"])
@pytest.mark.parametrize("train", [NUMBERS, FILMS], ids=["texts", "groups"])
def test_a_seed_has_its_own_texts_always_the_same(rule: str, train: Examples) -> None:
    drawn = [draw_training_texts(train, "all", seed, data(rule)).tolist() for seed in SEEDS]
    assert drawn == [draw_training_texts(train, "all", seed, data(rule)).tolist() for seed in SEEDS]
    assert len(set(map(tuple, drawn))) == len(drawn)
    assert all(part == sorted(part) for part in drawn)


def test_fixed_texts_are_all_of_them() -> None:
    for seed in SEEDS:
        assert draw_training_texts(NUMBERS, "all", seed, data("fixed")).tolist() == list(range(23))


@pytest.mark.parametrize("rule", ["fixed", "folds", "bootstrap"])
def test_a_number_of_texts_is_drawn_as_ever(rule: str) -> None:
    drawn = draw_training_texts(FILMS, 30, 3, data(rule)).tolist()
    assert drawn == draw_subset(FILMS, 30, 3).tolist()


def test_rows_of_one_group_have_one_number() -> None:
    rows = [Row(i, "f:1", "text", 0, group) for i, group in enumerate(("b", "a", "b"))]
    numbers = number_groups(rows)
    assert numbers is not None
    assert numbers.tolist() == [1, 0, 1]
    assert number_groups([Row(0, "f:1", "text", 0)]) is None


def test_more_folds_than_texts_or_groups_are_refused() -> None:
    check_folds(NUMBERS, data("folds", folds=23))
    check_folds(NUMBERS, data("fixed", folds=24))
    with pytest.raises(DataError, match=r"data\.folds: 24 folds of 23 training examples"):
        check_folds(NUMBERS, data("folds", folds=24))
    with pytest.raises(DataError, match="5 folds of 3 groups of training examples"):
        check_folds(examples([0] * 6, [0, 0, 1, 1, 2, 2]), data("folds"))
