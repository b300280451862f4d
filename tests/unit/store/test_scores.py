"""What runs said of texts, read back: losses as the engine has them, one digest for one test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.analysis.scores import measure_predictions
from headstart.config.traits import TaskName, task_traits
from headstart.engine.losses import probabilities
from headstart.engine.metrics import meter
from headstart.errors import OutputError
from headstart.store.predictions import predictions_file
from headstart.store.scores import read_predictions

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
    counted = meter(task, 3)
    counted.add(logits, labels)
    with predictions_file(folder / "predictions.parquet", task, () if task == "regression" else NAMES) as out:
        out.add(range(TEXTS), labels.numpy(), probabilities(logits, task).numpy())
    return counted.scores()


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_every_metric_comes_out_as_the_engine_counted_it(tmp_path: Path, task: TaskName) -> None:
    expected = write(tmp_path, task)
    assert expected.keys() == set(task_traits(task).metrics)
    for metric, value in expected.items():
        read = read_predictions(tmp_path, metric)
        assert read is not None
        measure = measure_predictions(read)[metric]
        assert measure.on_resamples(np.ones((1, TEXTS)))[0] == pytest.approx(value, rel=1e-6)


def test_another_tests_labels_have_another_digest(tmp_path: Path) -> None:
    digests = []
    for seed in (0, 0, 1):
        write(tmp_path, "classification", seed)
        read = read_predictions(tmp_path, "accuracy")
        assert read is not None
        digests.append(read.digest)
    assert digests[0] == digests[1] != digests[2]


def test_predictions_that_are_gone_are_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path, "accuracy") is None


def test_a_mangled_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "predictions.parquet").write_text("no table", encoding="utf-8")
    with pytest.raises(OutputError, match="predictions cannot be read"):
        read_predictions(tmp_path, "accuracy")
