"""Predictions written window by window: the task's columns, groups, and no file where a window fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.store.prediction_writer import open_predictions, write_table
from headstart.store.predictions import PREDICTIONS_FILE
from headstart.tasks.columns import make_columns
from prediction_files import write


class Doubled:
    """Columns of a task that no task is: the label and its double."""

    fields = (pa.field("label", pa.int64()), pa.field("double", pa.int64()))

    def build(self, labels: np.ndarray, outputs: np.ndarray) -> dict[str, pa.Array]:
        return {"label": pa.array(labels), "double": pa.array(2 * labels)}


def test_columns_are_the_tasks_own(tmp_path: Path) -> None:
    with open_predictions(tmp_path / "p.parquet", Doubled()) as writer:
        writer.add([4, 7], np.array([1, 2]), np.zeros((2, 1)))
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.to_pydict() == {"id": [4, 7], "label": [1, 2], "double": [2, 4]}


def test_windows_follow_one_another(tmp_path: Path) -> None:
    file = write(tmp_path, "class", ["a", "b"], *(([i], [i % 2], [[0.5, 0.5]]) for i in range(3)))
    assert pq.read_table(file)["id"].to_pylist() == [0, 1, 2]


def test_file_without_a_window_has_its_columns(tmp_path: Path) -> None:
    assert pq.read_table(write(tmp_path, "class", ["a"])).column_names == ["id", "label", "predicted", "p_a"]


def test_groups_stand_beside_the_ids(tmp_path: Path) -> None:
    file = tmp_path / PREDICTIONS_FILE
    with open_predictions(file, make_columns("class", ["a", "b"]), has_groups=True) as writer:
        for ids, groups in (([4, 7], [0, 1]), ([9], [0])):
            writer.add(ids, np.zeros(len(ids), int), np.full((len(ids), 2), 0.5), np.array(groups))
    table = pq.read_table(file)
    assert table.column_names == ["id", "group", "label", "predicted", "p_a", "p_b"]
    assert table["group"].to_pylist() == [0, 1, 0]


def test_window_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length"):
        write(tmp_path, "number", [], ([0], [1.0], [[1.0]]), ([0, 1], [1.0], [[1.0]]))
    assert list(tmp_path.iterdir()) == []


def test_table_that_is_known_as_a_whole(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", {"id": pa.array([1]), "loss": np.array([0.5])})
    assert pq.read_table(tmp_path / "t.parquet").to_pydict() == {"id": [1], "loss": [0.5]}
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
