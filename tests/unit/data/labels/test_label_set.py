"""Any number of labels for each example, in three notations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headstart.config.study import Data
from headstart.data.corpus import PARTS, Part, Row
from headstart.data.labels.label_set import LabelSet
from headstart.errors import DataError

DATA = Data(path="a")
COLUMNS = Data(path="a", label=("y", "x"))
KIND = LabelSet()


def row(label: object) -> Row:
    return Row(0, "f:2", "text", label)


def test_columns_are_the_texts_then_the_labels() -> None:
    assert KIND.list_columns(COLUMNS) == ("text", "y", "x")


def test_several_columns_are_read_by_name() -> None:
    assert KIND.read_label({"x": 1, "y": 0, "text": "t"}, COLUMNS, "f:2") == {"y": 0, "x": 1}
    with pytest.raises(DataError, match="no column 'y'"):
        KIND.read_label({"x": 1}, COLUMNS, "f:2")


@pytest.mark.parametrize(
    ("label", "names"),
    [
        (["x", " y"], ["x", "y"]),
        ([1.0, 2], ["1", "2"]),
        ([], []),
        ("x| y|", ["x", "y"]),
        ("", []),
        ({"x": 1, "y": "0"}, ["x"]),
        ({"x": "True", "y": 1.0}, ["x", "y"]),
        ({"x": False, "y": "0.0"}, []),
    ],
)
def test_notations(label: object, names: list[str]) -> None:
    assert KIND.list_names(row(label), DATA) == names


def test_separator_is_the_studys() -> None:
    assert KIND.list_names(row("a|b, c"), Data(path="a", label_separator=",")) == ["a|b", "c"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (None, "no labels (null or NaN)"),
        (float("nan"), "no labels (null or NaN)"),
        (["x", None], "None in a list of labels"),
        (["x", " "], "' ' in a list of labels"),
        ({"x": 2}, "2 in column 'x'"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(label: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        KIND.list_names(row(label), DATA)
    assert (caught.value.got, caught.value.where) == (message, "f:2")


def test_names_of_columns_keep_the_studys_order() -> None:
    rows: dict[Part, list[Row]] = {part: [row({"y": 1, "x": 1})] for part in PARTS}
    assert KIND.collect_names(rows, COLUMNS) == ("y", "x")


def test_column_that_no_training_row_has_is_no_name_of_another_part() -> None:
    rows: dict[Part, list[Row]] = {part: [row({"y": 0, "x": 1})] for part in PARTS}
    with pytest.raises(DataError, match="label 'y' is in no training example"):
        KIND.collect_names(rows | {"test": [row({"y": 1, "x": 0})]}, COLUMNS)


def test_labels_become_ones() -> None:
    labels = KIND.encode([row("y"), row(""), row(["x", "y"])], ("x", "y"), DATA)
    assert (labels.tolist(), labels.dtype) == ([[0, 1], [0, 0], [1, 1]], np.dtype(np.float32))


def test_order_of_labels_does_not_matter_to_their_key() -> None:
    assert KIND.make_key(row(["x", "y"]), DATA) == KIND.make_key(row("y|x|y"), DATA) == ("x", "y")


def test_no_label_at_all_cannot_be_learnt() -> None:
    KIND.check_learnable(np.array([[0, 0], [0, 1]], np.float32), ("x", "y"))
    with pytest.raises(DataError, match="no training text has a label"):
        KIND.check_learnable(np.zeros((2, 2), np.float32), ("x", "y"))


def test_labels_are_counted_and_averaged_in_each_part() -> None:
    flags = np.array([[1, 0], [1, 1], [0, 0], [1, 1]], np.float32)
    labels: dict[Part, np.ndarray] = dict.fromkeys(PARTS, flags)
    summary: dict[str, Any] = KIND.summarise(labels, ("a", "b")).to_dict()
    assert summary == {
        "counts": {"a": dict.fromkeys(PARTS, 3), "b": dict.fromkeys(PARTS, 2)},
        "labels_a_text": dict.fromkeys(PARTS, 1.25),
        "most_frequent_set": ["a", "b"],
    }


def test_rare_labels_are_not_noticed_and_parts_are_not_stratified() -> None:
    assert list(KIND.find_doubts(np.eye(2, dtype=np.float32), ("a", "b"))) == []
    assert not KIND.is_stratified
