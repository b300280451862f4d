"""One class for each example: named, ordered, compared, checked and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headstart.config.study import Data
from headstart.data.corpus import PARTS, Part, Row
from headstart.data.labels.class_label import IMBALANCE, ClassLabel
from headstart.errors import DataError

DATA = Data(path="a")
KIND = ClassLabel()


def row(label: object, where: str = "f:2") -> Row:
    return Row(0, where, "text", label)


def rows(*train: object, **others: object) -> dict[Part, list[Row]]:
    """Training rows with these labels, and one row of each other part: with the first label by default."""
    parts = {part: [row(others.get(part, train[0]), f"{part}:2")] for part in PARTS}
    return parts | {"train": [row(label) for label in train]}


def test_columns_are_the_texts_then_the_label() -> None:
    assert KIND.list_columns(Data(path="a", text=("p", "q"), label="l")) == ("p", "q", "l")


def test_cell_is_read_as_it_stands() -> None:
    cells = {"text": "good", "label": 1.0}
    assert KIND.read_text(cells, DATA, "f:2") == "good"
    assert KIND.read_label(cells, DATA, "f:2") == 1.0
    with pytest.raises(DataError, match="no column 'stars'"):
        KIND.read_label(cells, Data(path="a", label="stars"), "f:2")


@pytest.mark.parametrize(
    ("label", "name"),
    [("pos", "pos"), (" x ", "x"), (1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "True"), ("1.0", "1.0")],
)
def test_label_is_its_name(label: object, name: str) -> None:
    assert KIND.list_names(row(label), DATA) == [name]


@pytest.mark.parametrize("label", [None, float("nan"), "", "  "])
def test_row_without_a_label_is_refused(label: object) -> None:
    with pytest.raises(DataError) as caught:
        KIND.list_names(row(label), DATA)
    assert (caught.value.got, caught.value.where) == ("no label (empty, null or NaN)", "f:2")


@pytest.mark.parametrize("label", [["x"], {"x": 1}])
def test_several_labels_are_refused(label: object) -> None:
    with pytest.raises(DataError) as caught:
        KIND.list_names(row(label), DATA)
    assert caught.value.fix == "set task: multi-label"


def test_names_are_those_of_the_training_rows_in_natural_order() -> None:
    assert KIND.collect_names(rows("10", "b", "2", "nan", "2"), DATA) == ("2", "10", "b", "nan")


@pytest.mark.parametrize("part", ["valid", "test"])
def test_name_that_training_never_shows_is_refused(part: str) -> None:
    with pytest.raises(DataError) as caught:
        KIND.collect_names(rows("x", "y", **{part: "z"}), DATA)
    assert (caught.value.got, caught.value.where) == ("label 'z' is in no training example", f"{part}:2")
    assert caught.value.expected == "one of x, y"


def test_labels_become_class_numbers() -> None:
    labels = KIND.encode([row("y"), row("x"), row("y")], ("x", "y"), DATA)
    assert (labels.tolist(), labels.dtype) == ([1, 0, 1], np.dtype(np.int64))


def test_equal_labels_have_equal_keys_however_they_are_written() -> None:
    assert KIND.make_key(row(1), DATA) == KIND.make_key(row("1"), DATA) == KIND.make_key(row(1.0), DATA)
    assert KIND.make_key(row("1"), DATA) != KIND.make_key(row("2"), DATA)


def test_one_class_cannot_be_learnt() -> None:
    KIND.check_learnable(np.array([0, 1]), ("x", "y"))
    with pytest.raises(DataError, match="a single class, 'x'"):
        KIND.check_learnable(np.array([0, 0]), ("x",))


@pytest.mark.parametrize(("common", "noticed"), [(2 * IMBALANCE - 1, False), (2 * IMBALANCE, True)])
def test_rare_class_is_noticed(common: int, noticed: bool) -> None:
    warnings = list(KIND.find_doubts(np.array([0] * common + [1, 1]), ("big", "small")))
    assert [notice.kind for notice in warnings] == ["imbalance"] * noticed
    assert all("'small' has 2" in notice.message for notice in warnings)


def test_classes_are_counted_in_each_part() -> None:
    labels: dict[Part, np.ndarray] = dict.fromkeys(PARTS, np.array([0, 1, 1]))
    summary: dict[str, Any] = KIND.summarise(labels, ("a", "b", "c")).to_dict()
    counts = {"a": 1, "b": 2, "c": 0}
    assert summary == {"counts": {name: dict.fromkeys(PARTS, count) for name, count in counts.items()}}


def test_parts_get_the_same_share_of_each_class() -> None:
    assert KIND.is_stratified


@pytest.mark.parametrize("label", [["a"], {"a": 1}, "[1, 0, 1]", "['drama', 'war']", '["drama"]', "[]"])
def test_lists_name_the_task_that_has_them(label: object) -> None:
    with pytest.raises(DataError) as caught:
        KIND.list_names(Row(0, "f:2", "text", label), DATA)
    assert caught.value.got == f"label {label!r} contains several labels"
    assert caught.value.fix == "set task: multi-label"


@pytest.mark.parametrize("label", ["[spam]", "(none)", "a [b]"])
def test_brackets_are_part_of_a_name(label: str) -> None:
    assert KIND.list_names(Row(0, "f:2", "text", label), DATA) == [label]


def test_bytes_are_no_name() -> None:
    """As one a class would be called b'pos'."""
    with pytest.raises(DataError, match="label b'pos' is bytes"):
        KIND.read_label({"label": b"pos"}, DATA, "f:2")
