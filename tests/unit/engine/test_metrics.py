"""Streamed metrics against scikit-learn and scipy on the whole arrays at once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torch.nn.functional as F
from scipy import stats

from headstart.config.traits import TASKS, TaskName, get_task_traits
from headstart.records import Scores
from headstart.tasks import load_task

N, C = 257, 4


def _streamed(task: TaskName, logits: torch.Tensor, labels: torch.Tensor, batch: int = 32) -> Scores:
    counted = load_task(task).make_meter(logits.shape[1])
    for start in range(0, len(logits), batch):
        counted.add(logits[start : start + batch], labels[start : start + batch])
    return counted.compute_scores()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classification(seed: int) -> None:
    draws = np.random.default_rng(seed)
    logits, y_true = draws.normal(size=(N, C)), draws.integers(0, C, N)
    metrics = _streamed("classification", torch.from_numpy(logits), torch.from_numpy(y_true))
    y_pred = logits.argmax(1)
    expected = {
        "accuracy": sk.accuracy_score(y_true, y_pred),
        "balanced_accuracy": sk.balanced_accuracy_score(y_true, y_pred),
        "macro_f1": sk.f1_score(y_true, y_pred, average="macro"),
        "mcc": sk.matthews_corrcoef(y_true, y_pred),
        "loss": F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(y_true)).item(),
    }
    assert metrics == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


def test_classification_with_a_class_that_nobody_shows_or_says() -> None:
    y_true, y_pred = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    logits = np.eye(C)[y_pred]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = _streamed("classification", torch.from_numpy(logits), torch.from_numpy(y_true))
    assert metrics["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics["macro_f1"] == pytest.approx(sk.f1_score(y_true, y_pred, average="macro", zero_division=0))


@pytest.mark.parametrize("seed", [0, 1])
def test_multi_label(seed: int) -> None:
    draws = np.random.default_rng(seed)
    logits, y_true = draws.normal(size=(N, C)), (draws.random((N, C)) < 0.3).astype(np.float32)
    metrics = _streamed("multi-label", torch.from_numpy(logits), torch.from_numpy(y_true))
    y_pred = logits > 0
    expected = {
        "macro_f1": sk.f1_score(y_true, y_pred, average="macro"),
        "micro_f1": sk.f1_score(y_true, y_pred, average="micro"),
        "exact_match": sk.accuracy_score(y_true, y_pred),
        "loss": F.binary_cross_entropy_with_logits(
            torch.from_numpy(logits), torch.from_numpy(y_true).double()
        ).item(),
    }
    assert metrics == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


def test_regression() -> None:
    draws = np.random.default_rng(0)
    y_true = draws.normal(size=N)
    y_pred = y_true + draws.normal(size=N)
    metrics = _streamed("regression", torch.from_numpy(y_pred[:, None]), torch.from_numpy(y_true))
    expected = {
        "pearson": stats.pearsonr(y_true, y_pred).statistic,
        "spearman": stats.spearmanr(y_true, y_pred).statistic,
        "rmse": np.sqrt(np.mean((y_true - y_pred) ** 2)),
        "mae": np.mean(np.abs(y_true - y_pred)),
        "loss": np.mean((y_true - y_pred) ** 2),
    }
    assert metrics == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


def test_a_constant_prediction_correlates_with_nothing() -> None:
    metrics = _streamed("regression", torch.zeros(5, 1).double(), torch.arange(5).double())
    assert metrics["pearson"] == metrics["spearman"] == 0.0


@pytest.mark.parametrize("task", [name for name, traits in TASKS.items() if not traits.generates])
def test_every_metric_that_a_study_may_name_is_measured(task: TaskName) -> None:
    labels = torch.tensor([0, 1, 2, 3]) if task == "classification" else torch.eye(4)
    labels = torch.arange(4.0) if task == "regression" else labels
    metrics = _streamed(task, torch.randn(4, 1 if task == "regression" else 4), labels)
    assert tuple(metrics) == get_task_traits(task).metrics
