"""Predictions on disk: ids, labels by name, what was predicted, and a probability for each class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from headstart.config.traits import TaskName
from headstart.store.predictions import prediction_columns, predictions_file


def written(
    path: Path, task: TaskName, names: list[str], *windows: tuple[Any, Any, Any]
) -> dict[str, list[Any]]:
    """What the file holds after these windows of (ids, labels, what the model said)."""
    with predictions_file(path, task, names) as out:
        for ids, labels, said in windows:
            out.add(ids, np.array(labels), np.array(said))
    columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return columns


def test_classes_are_written_by_name(tmp_path: Path) -> None:
    found = written(
        tmp_path / "p.parquet", "classification", ["no", "yes"], ([7, 9], [1, 0], [[0.2, 0.8], [0.4, 0.6]])
    )
    assert found == {
        "id": [7, 9],
        "label": ["yes", "no"],
        "predicted": ["yes", "yes"],
        "p_no": [0.2, 0.4],
        "p_yes": [0.8, 0.6],
    }


def test_labels_are_written_as_lists(tmp_path: Path) -> None:
    said = [[0.6, 0.7], [0.5, 0.1]]
    found = written(
        tmp_path / "p.parquet", "multi-label", ["a", "b"], ([0, 1], [[1.0, 0.0], [0.0, 0.0]], said)
    )
    assert found["label"] == [["a"], []]
    assert found["predicted"] == [["a", "b"], []]


def test_numbers_are_written_without_probabilities(tmp_path: Path) -> None:
    found = written(tmp_path / "p.parquet", "regression", [], ([0, 1], [1.5, 2.0], [[1.25], [2.5]]))
    assert found == {"id": [0, 1], "label": [1.5, 2.0], "predicted": [1.25, 2.5]}


def test_windows_follow_one_another(tmp_path: Path) -> None:
    windows = [([i], [i % 2], [[0.5, 0.5]]) for i in range(3)]
    assert written(tmp_path / "p.parquet", "classification", ["a", "b"], *windows)["id"] == [0, 1, 2]


def test_block_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length"):
        written(tmp_path / "p.parquet", "regression", [], ([0], [1.0], [[1.0]]), ([0, 1], [1.0], [[1.0]]))
    assert list(tmp_path.iterdir()) == []


def test_equal_probabilities_give_the_first_class() -> None:
    assert prediction_columns(np.array([[0.5, 0.5]]), "classification", ["a", "b"])[
        "predicted"
    ].to_pylist() == ["a"]
