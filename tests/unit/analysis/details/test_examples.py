"""Which single examples are shown: the confidently wrong, and those on which arms differ."""

from __future__ import annotations

import numpy as np

from headstart.analysis.details.class_cells import ClassCell
from headstart.analysis.details.examples import find_differing_examples, find_wrong_examples


def make_cell(arm: str, y_pred: list[list[int]], confidence: list[float], true: list[int]) -> ClassCell:
    predicted = np.array(y_pred)
    return ClassCell(
        arm=arm,
        size="all",
        seeds=tuple(range(len(predicted))),
        names=("neg", "pos"),
        ids=10 + np.arange(len(true)),
        y_true=np.array(true),
        y_pred=predicted,
        confidence=np.ones(predicted.shape),
        common=predicted[0],
        common_confidence=np.array(confidence),
    )


def test_the_most_confident_of_the_wrong_comes_first() -> None:
    cell = make_cell("a", [[0, 1, 1, 0], [0, 1, 0, 0]], [0.9, 0.6, 0.8, 0.7], [0, 0, 0, 1])
    found = find_wrong_examples(cell)
    assert [(row.id, row.label, row.predicted, row.wrong_seeds) for row in found] == [
        (12, "neg", "pos", 1),
        (13, "pos", "neg", 2),
        (11, "neg", "pos", 2),
    ]


def test_at_most_ten_are_shown() -> None:
    assert len(find_wrong_examples(make_cell("a", [[1] * 30], [0.5] * 30, [0] * 30))) == 10


def test_arms_differ_where_most_seeds_of_one_alone_are_right() -> None:
    true = [1, 1, 1, 1]
    arm = make_cell("a", [[1, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 0]], [1.0] * 4, true)
    control = make_cell("b", [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]], [1.0] * 4, true)
    found = find_differing_examples(arm, control)
    assert [row.id for row in found] == [10, 11, 12]  # gained first, the widest gap first
    assert [round(row.right - row.control_right, 2) for row in found] == [1.0, 0.33, -0.67]


def test_arms_tested_on_other_examples_are_not_compared() -> None:
    one = make_cell("a", [[1, 1]], [1.0, 1.0], [1, 1])
    other = make_cell("b", [[0, 0, 0]], [1.0] * 3, [1, 1, 1])
    assert find_differing_examples(one, other) == []
