"""Parts and subsets in which all labels are the same are found, as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.config.study import Study
from headstart.data.corpus import Examples, Part
from headstart.data.labels.registry import get_label_type
from headstart.data.one_class import find_one_class
from headstart.data.training_texts import draw_training_texts


def examples(labels: np.ndarray) -> Examples:
    return Examples([f"t{i}" for i in range(len(labels))], labels, range(len(labels)))


def classes(*counts: int) -> Examples:
    return examples(np.repeat(np.arange(len(counts)), counts).astype(np.int64))


def found(train: Examples, test: Examples | None = None, **study: object) -> list[str]:
    parts: dict[Part, Examples] = {"train": train, "valid": classes(1, 1), "test": test or classes(1, 1)}
    values = Study.model_validate({"data": {"path": "a"}, "model": "m", **study})
    return [w.message for w in find_one_class(parts, ("x", "y"), get_label_type(values.task), values)]


def test_test_texts_of_one_class_are_said() -> None:
    message = (
        "all 3 texts of test have class 'y': scores on them mean little; use texts with different labels "
        "for test"
    )
    assert found(classes(2, 2), classes(0, 3)) == [message]
    assert found(classes(2, 2)) == []


@pytest.mark.parametrize("counts", [(50, 50), (95, 5), (99, 1), (30, 60), (5, 5)])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_subsets_of_one_class_are_those_that_are_drawn(counts: tuple[int, int], size: int) -> None:
    train, seeds = classes(*counts), 5
    study = Study.model_validate({"data": {"path": "a"}, "model": "m"})
    drawn = [train.labels[draw_training_texts(train, size, seed, study.data)] for seed in range(seeds)]
    alone = [seed for seed, labels in enumerate(drawn) if len(set(labels.tolist())) == 1]
    expected = [
        f"size {size}: in {len(alone)} of {seeds} seeds all training examples have the same label "
        f"(seed {seed}: class 'x'), so nothing can be learnt from them; use larger sizes"
        for seed in alone[:1]
    ]
    assert found(train, sizes=[size], seeds=seeds) == expected


def test_folds_and_bootstraps_are_drawn_too() -> None:
    data = {"path": "a", "training_texts": "bootstrap"}
    (message,) = found(classes(8, 1), data=data, seeds=20)
    assert message.startswith("size all: in ")
    assert found(classes(8, 1), seeds=20) == []


def test_numbers_that_are_all_equal_are_said() -> None:
    train = examples(np.array([1, 2, 3, 4], np.float32))
    messages = found(train, examples(np.array([2.5, 2.5], np.float32)), task="regression", sizes=[2])
    assert messages == [
        (
            "all 2 texts of test have the number 2.5: scores on them mean little; use texts with "
            "different labels for test"
        )
    ]
