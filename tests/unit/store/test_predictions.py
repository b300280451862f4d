"""Predictions read back as arrays: one digest for one test set, each file read once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.errors import OutputError
from headstart.store.prediction_tables import Predictions
from headstart.store.prediction_writer import open_predictions, write_table
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE, PredictionReader, read_predictions
from headstart.tasks.columns import make_columns
from prediction_files import write


def read(folder: Path, metric: str = "accuracy") -> Predictions:
    predictions = read_predictions(folder, metric)
    assert predictions is not None
    return predictions


def test_classes_are_numbers_with_the_loss_of_the_true_one(tmp_path: Path) -> None:
    write(tmp_path, "class", ["a", "b"], ([0, 1], [1, 0], [[0.25, 0.75], [0.25, 0.75]]))
    predictions = read(tmp_path)
    assert (predictions.kind, predictions.classes) == ("classes", 2)
    assert (predictions.y_true.tolist(), predictions.y_pred.tolist()) == ([1, 0], [1, 1])
    assert predictions.losses == pytest.approx([-np.log(0.75), -np.log(0.25)])


def test_label_sets_are_marks_with_the_mean_loss_of_all_labels(tmp_path: Path) -> None:
    write(tmp_path, "label-set", ["a", "b"], ([0, 1], [[1, 0], [0, 0]], [[0.75, 0.75], [0.5, 0.25]]))
    predictions = read(tmp_path, "macro_f1")
    assert (predictions.kind, predictions.classes) == ("labels", 2)
    assert (predictions.y_true.tolist(), predictions.y_pred.tolist()) == ([[1, 0], [0, 0]], [[1, 1], [0, 0]])
    expected = [-(np.log(0.75) + np.log(0.25)) / 2, -(np.log(0.5) + np.log(0.75)) / 2]
    assert predictions.losses == pytest.approx(expected)


def test_numbers_have_their_squared_error(tmp_path: Path) -> None:
    write(tmp_path, "number", [], ([0, 1], [1.5, 2.0], [[1.0], [2.0]]))
    predictions = read(tmp_path, "rmse")
    assert (predictions.kind, predictions.classes) == ("numbers", 0)
    assert predictions.losses == pytest.approx([0.25, 0.0])


def test_class_that_a_model_is_sure_of_wrongly_has_a_finite_loss(tmp_path: Path) -> None:
    write(tmp_path, "class", ["a", "b"], ([0], [1], [[1.0, 0.0]]))
    losses = read(tmp_path).losses
    assert losses is not None
    assert np.isfinite(losses).all()


ANSWERS = {
    "id": pa.array([0, 1]),
    "prompt": pa.array(["p", "q"]),
    "response": pa.array(["yes", "no"]),
    "answer": pa.array([" yes\n", "yes"]),
    "stopped": pa.array([True, False]),
}


def test_answers_are_right_where_they_are_the_response_without_its_spaces(tmp_path: Path) -> None:
    write_table(tmp_path / PREDICTIONS_FILE, ANSWERS)
    predictions = read(tmp_path, "exact_match")
    assert (predictions.kind, predictions.y_pred.tolist(), predictions.losses) == (
        "answers",
        [1.0, 0.0],
        None,
    )
    assert predictions.stopped is not None
    assert predictions.stopped.tolist() == [1.0, 0.0]


def test_tokens_are_read_for_their_metrics_alone(tmp_path: Path) -> None:
    write_table(tmp_path / PREDICTIONS_FILE, ANSWERS)
    tokens = {"id": [0, 1], "tokens": [3, 4], "loss": [1.5, 2.0], "right": [2, 0]}
    write_table(tmp_path / TOKENS_FILE, {name: pa.array(values) for name, values in tokens.items()})
    predictions = read(tmp_path, "token_accuracy")
    assert (predictions.kind, predictions.y_true.tolist(), predictions.y_pred.tolist()) == (
        "tokens",
        [3, 4],
        [2, 0],
    )
    assert predictions.losses == pytest.approx([1.5, 2.0])
    assert read(tmp_path, "exact_match").kind == "answers"


def test_another_tests_labels_have_another_digest(tmp_path: Path) -> None:
    digests = []
    for i, labels in enumerate(([0, 1], [0, 1], [1, 1])):
        folder = tmp_path / str(i)
        write(folder, "class", ["a", "b"], ([0, 1], labels, [[0.2 * i, 1 - 0.2 * i]] * 2))
        digests.append(read(folder).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_file_without_groups_pairs_with_one_that_has_them(tmp_path: Path) -> None:
    predictions = []
    for groups in (None, np.array([5, 5])):
        file = tmp_path / PREDICTIONS_FILE
        columns = make_columns("class", ["a", "b"])
        with open_predictions(file, columns, has_groups=groups is not None) as writer:
            writer.add([0, 1], np.array([0, 1]), np.array([[0.2, 0.8]] * 2), groups)
        predictions.append(read(tmp_path))
    old, new = predictions
    assert old.groups is None
    assert new.groups is not None
    assert new.groups.tolist() == [5, 5]
    assert old.digest == new.digest


@pytest.mark.parametrize(("file", "metric"), [(PREDICTIONS_FILE, "exact_match"), (TOKENS_FILE, "loss")])
def test_answers_and_tokens_have_groups(tmp_path: Path, file: str, metric: str) -> None:
    tokens = {"tokens": pa.array([3, 4]), "loss": pa.array([1.5, 2.0]), "right": pa.array([2, 0])}
    columns = ANSWERS if file == PREDICTIONS_FILE else {"id": ANSWERS["id"], **tokens}
    write_table(tmp_path / PREDICTIONS_FILE, ANSWERS)
    write_table(tmp_path / file, {**columns, "group": pa.array([1, 1])})
    groups = read(tmp_path, metric).groups
    assert groups is not None
    assert groups.tolist() == [1, 1]


def test_predictions_that_are_gone_are_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path, "accuracy") is None


def test_mangled_file_is_named(tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS_FILE).write_text("no table", encoding="utf-8")
    with pytest.raises(OutputError, match="predictions cannot be read") as caught:
        read_predictions(tmp_path, "accuracy")
    assert caught.value.where == str(tmp_path / PREDICTIONS_FILE)


def test_label_without_a_probability_is_named(tmp_path: Path) -> None:
    columns = {"id": [0], "label": ["c"], "predicted": ["a"], "p_a": [1.0]}
    write_table(tmp_path / PREDICTIONS_FILE, {name: pa.array(values) for name, values in columns.items()})
    with pytest.raises(OutputError, match="a label without a column of its probability"):
        read_predictions(tmp_path, "accuracy")


def test_a_reader_reads_each_file_once_whatever_is_computed_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a", "b"):
        (tmp_path / key).mkdir()
        write(tmp_path / key, "class", ["a", "b"], ([0], [1], [[0.25, 0.75]]))
    files: list[Path] = []
    real = pq.read_table

    def count(file: Path) -> pa.Table:
        files.append(file)
        return real(file)

    monkeypatch.setattr(pq, "read_table", count)
    reader = PredictionReader(lambda key: tmp_path / key)
    read_results = [reader(key, metric) for key in ("a", "b") for metric in ("loss", "accuracy", "loss")]
    assert files == [tmp_path / key / PREDICTIONS_FILE for key in ("a", "b")]
    assert [id(result) for result in read_results[:3]] == [id(read_results[0])] * 3
    assert reader("c", "accuracy") is None


def test_a_reader_tells_tokens_from_answers(tmp_path: Path) -> None:
    answers = {"id": [0], "response": ["x"], "answer": ["x"], "stopped": [True]}
    tokens = {"id": [0], "tokens": [3], "right": [2], "loss": [0.5]}
    for name, columns in ((PREDICTIONS_FILE, answers), (TOKENS_FILE, tokens)):
        write_table(tmp_path / name, {key: pa.array(values) for key, values in columns.items()})
    reader = PredictionReader(lambda _: tmp_path)
    kinds = [predictions.kind for metric in ("loss", "exact_match") if (predictions := reader("any", metric))]
    assert kinds == ["tokens", "answers"]
