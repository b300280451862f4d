"""Metrics computed from predictions on disk are those that the engine counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.analysis.measured_tests import measure_predictions
from headstart.config.traits import TaskName, get_task_traits
from headstart.store.prediction_writer import open_predictions
from headstart.store.predictions import read_predictions
from headstart.tasks import load_task
from headstart.tasks.columns import make_columns
from headstart.tasks.labelled import LabelledTask

NAMES = ("x", "y", "z")
TEXTS = 40


def data(task: TaskName, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels, as a model of the task has them."""
    draws = torch.Generator().manual_seed(seed)
    if task == "regression":
        labels = torch.randn(TEXTS, generator=draws, dtype=torch.float64)
        return labels[:, None] + 0.5 * torch.randn(TEXTS, 1, generator=draws, dtype=torch.float64), labels
    logits = 2 * torch.randn(TEXTS, 3, generator=draws, dtype=torch.float64)
    noise = torch.randn(TEXTS, 3, generator=draws, dtype=torch.float64)
    return logits, (logits + noise).argmax(-1) if task == "classification" else (
        (logits + noise) > 0
    ).double()


def write(folder: Path, task: TaskName, seed: int = 0) -> dict[str, float]:
    """A run's predictions, and the metrics that the engine counts meanwhile."""
    logits, labels = data(task, seed)
    task_object = load_task(task)
    assert isinstance(task_object, LabelledTask)
    counted = task_object.make_meter(3)
    counted.add(logits, labels)
    names = () if task == "regression" else NAMES
    columns = make_columns(get_task_traits(task).labels, names)
    with open_predictions(folder / "predictions.parquet", columns) as out:
        out.add(range(TEXTS), labels.numpy(), task_object.compute_probabilities(logits).numpy())
    return counted.compute_scores()


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_every_metric_comes_out_as_the_engine_counted_it(tmp_path: Path, task: TaskName) -> None:
    expected = write(tmp_path, task)
    assert expected.keys() == set(get_task_traits(task).metrics)
    for metric, value in expected.items():
        read = read_predictions(tmp_path, metric)
        assert read is not None
        measure = measure_predictions(read)[metric]
        assert measure.on_resamples(np.ones((1, TEXTS)))[0] == pytest.approx(value, rel=1e-6)
