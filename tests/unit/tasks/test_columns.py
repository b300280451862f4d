"""Predictions in columns, for each kind of label: names for people, a probability for each class."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

from headstart.config.traits import LabelKind
from headstart.data.corpus import CellType
from headstart.tasks import load_task
from headstart.tasks.columns import make_columns
from headstart.tasks.labelled import LabelledTask


def build(kind: LabelKind, names: list[str], labels: Any, outputs: Any) -> dict[str, list[Any]]:
    """All columns as lists; as a table, so that names and types are seen to be those of the fields."""
    columns = make_columns(kind, names)
    table = pa.table(columns.build(np.array(labels), np.array(outputs)))
    assert table.schema.equals(pa.schema(columns.fields))
    values: dict[str, list[Any]] = table.to_pydict()
    return values


def test_classes_stand_there_by_name() -> None:
    assert build("class", ["no", "yes"], [1, 0], [[0.25, 0.75], [0.375, 0.625]]) == {
        "label": ["yes", "no"],
        "predicted": ["yes", "yes"],
        "p_no": [0.25, 0.375],
        "p_yes": [0.75, 0.625],
    }


def test_equal_probabilities_give_the_first_class() -> None:
    assert build("class", ["a", "b"], [0], [[0.5, 0.5]])["predicted"] == ["a"]


@pytest.mark.parametrize(
    ("cells", "names", "values"),
    [
        ("int", ["0", "12"], [0, 12]),
        ("float", ["0.5", "1"], [0.5, 1.0]),
        ("bool", ["False", "True"], [False, True]),
        ("text", ["0", "12"], ["0", "12"]),
    ],
)
def test_names_are_what_they_were_in_the_data(cells: CellType, names: list[str], values: list[Any]) -> None:
    cases: dict[LabelKind, tuple[list[Any], list[Any]]] = {
        "class": ([1, 0], values[::-1]),
        "label-set": ([[1, 1], [0, 1]], [values, values[1:]]),
    }
    for kind, (labels, expected) in cases.items():
        columns = make_columns(kind, names, cells)
        array = columns.format_labels(np.array(labels))
        assert array.type == columns.type
        assert array.to_pylist() == expected
        assert [field.name for field in columns.prediction_fields][1:] == [f"p_{name}" for name in names]


def test_label_sets_are_lists_of_the_labels_above_a_half() -> None:
    columns = build("label-set", ["a", "b"], [[1.0, 0.0], [0.0, 0.0]], [[0.6, 0.7], [0.5, 0.1]])
    assert columns["label"] == [["a"], []]
    assert columns["predicted"] == [["a", "b"], []]
    assert (columns["p_a"], columns["p_b"]) == ([0.6, 0.5], [0.7, 0.1])


def test_numbers_have_no_probabilities() -> None:
    assert build("number", [], [1.5, 2.0], [[1.25], [2.5]]) == {
        "label": [1.5, 2.0],
        "predicted": [1.25, 2.5],
    }


def test_outputs_in_32_bits_are_widened() -> None:
    for columns, outputs in (
        (make_columns("class", ["a", "b"]), [[0.5, 0.5]]),
        (make_columns("number"), [[0.5]]),
    ):
        built = pa.table(columns.build_predictions(np.array(outputs, np.float32)))
        assert built.schema.equals(pa.schema(columns.prediction_fields))


@pytest.mark.parametrize("kind", [kind for kind in get_args(LabelKind) if kind != "conversation"])
def test_columns_of_what_was_never_labelled_lack_the_label_alone(kind: LabelKind) -> None:
    columns = make_columns(kind, ["a"])
    assert columns.fields[1:] == columns.prediction_fields
    assert columns.fields[0].name == "label"


def test_task_has_the_columns_of_its_kind_of_label() -> None:
    outputs = np.array([[0.75, 0.75]])
    predicted = {
        name: task.make_columns(["a", "b"]).build_predictions(outputs)["predicted"].to_pylist()
        for name in ("classification", "multi-label")
        if isinstance(task := load_task(name), LabelledTask)
    }
    assert predicted == {"classification": ["a"], "multi-label": [["a", "b"]]}
