"""Whether predictions are one answer, with scipy and scikit-learn as oracles of what chance and MCC say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import matthews_corrcoef

from headstart.stats.one_answer import (
    find_common_answer,
    has_left_guessing,
    is_no_better,
    is_one_answer,
    is_one_number,
    number_sets,
)

#: Half of each of two classes.
BALANCED = np.repeat([0, 1], 150)
#: 96% of one class.
RARE = np.repeat([0, 1], [960, 40])


def answer_with(y_true: np.ndarray, of_rare: int, wrongly: int = 0) -> np.ndarray:
    """Class 0 for all but so many examples of class 1, and so many of class 0."""
    y_pred = np.zeros_like(y_true)
    y_pred[np.flatnonzero(y_true == 1)[:of_rare]] = 1
    y_pred[np.flatnonzero(y_true == 0)[:wrongly]] = 1
    return y_pred


def test_always_the_same_answer() -> None:
    y_pred = np.ones_like(BALANCED)
    assert is_one_answer(BALANCED, y_pred)
    common = find_common_answer(BALANCED, y_pred)
    assert (common.answer, common.count, common.right) == (1, 300, 150)


@pytest.mark.parametrize(("others", "is_one"), [(0, True), (14, True), (15, False), (150, False)])
def test_one_answer_is_more_than_95_percent(others: int, is_one: bool) -> None:
    assert is_one_answer(BALANCED, answer_with(BALANCED, others)) == is_one


def test_a_good_model_of_data_nearly_all_of_one_class_is_none() -> None:
    cautious = answer_with(RARE, of_rare=15, wrongly=2)
    assert (cautious == 0).mean() > 0.98
    assert matthews_corrcoef(RARE, cautious) > 0.5
    assert not is_one_answer(RARE, cautious)
    assert not is_one_answer(RARE, RARE)


def test_always_the_class_of_nearly_all_is_one() -> None:
    assert is_one_answer(RARE, np.zeros_like(RARE))


def test_too_few_others_do_not_tell() -> None:
    y_true = np.repeat([0, 1], [96, 4])
    assert not is_one_answer(y_true, np.zeros_like(y_true))
    assert is_one_answer(np.repeat([0, 1], [96, 5]), np.zeros(101, int))


@pytest.mark.parametrize("right", [150, 164, 165, 200])
def test_no_better_than_the_majority_is_scipys_binomial_test(right: int) -> None:
    theirs = stats.binomtest(right, 300, 0.5, alternative="greater").pvalue >= 0.05
    assert is_no_better(BALANCED, right) == theirs


@pytest.mark.parametrize(
    ("loss", "has_left"), [(0.9 * math.log(2), True), (0.995 * math.log(2), False), (1.2, False)]
)
def test_a_loss_leaves_guessing_from_one_percent_on(loss: float, has_left: bool) -> None:
    assert has_left_guessing(loss, math.log(2)) == has_left
    assert not has_left_guessing(math.nan, math.log(2))


def test_numbers_that_hardly_vary_and_tell_nothing() -> None:
    generator = np.random.default_rng(0)
    y_true, noise = generator.normal(size=200), generator.normal(size=200)
    noise -= y_true * (noise @ y_true) / (y_true @ y_true)
    assert is_one_number(y_true, 0.01 * noise)
    assert is_one_number(y_true, np.full(200, 0.3))
    assert not is_one_number(y_true, noise)
    assert not is_one_number(y_true, 0.01 * y_true)  # shrunk, and ordered as the true ones


def test_sets_are_equal_where_their_numbers_are() -> None:
    first, second = number_sets(np.array([[0, 1], [1, 1]]), np.array([[1, 1], [0, 0], [0, 1]]))
    assert first[0] == second[2]
    assert first[1] == second[0]
    assert len({*first, *second}) == 3
