"""Agreement of predicted classes, against scikit-learn."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mode
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from headstart.stats.class_agreement import (
    count_pairs,
    find_most_frequent,
    measure_kappa,
    measure_seed_agreement,
)


def draw_classes(seed: int, *shape: int, classes: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, shape)


def test_pairs_are_a_confusion_matrix() -> None:
    y_true, y_pred = draw_classes(0, 2, 50)
    assert (count_pairs(y_true, y_pred, 4) == confusion_matrix(y_true, y_pred, labels=range(4))).all()


def test_kappa_is_scikit_learns() -> None:
    one, other = draw_classes(1, 2, 60)
    other[:40] = one[:40]
    assert measure_kappa(count_pairs(one, other, 4)) == pytest.approx(cohen_kappa_score(one, other))


def test_raters_that_always_give_one_class_have_no_kappa() -> None:
    ones = np.ones(9, np.int64)
    assert measure_kappa(count_pairs(ones, ones, 3)) is None
    assert measure_kappa(count_pairs(ones, 0 * ones, 3)) == 0


def test_most_frequent_class_is_the_first_of_several() -> None:
    y_pred = draw_classes(2, 6, 80)
    assert (find_most_frequent(y_pred, 4) == mode(y_pred, axis=0).mode).all()  # it takes the smallest too


def test_agreement_is_the_mean_over_pairs_of_seeds() -> None:
    y_pred = draw_classes(3, 4, 70)
    agreement, kappa = measure_seed_agreement(y_pred, 4)
    pairs = list(combinations(y_pred, 2))
    assert agreement == pytest.approx(np.mean([(one == other).mean() for one, other in pairs]))
    assert kappa == pytest.approx(np.mean([cohen_kappa_score(*pair) for pair in pairs]))
