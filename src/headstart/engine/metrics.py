"""Metrics, streamed: batches of logits come in, counts are kept, scikit-learn's formulas come out.

A classification metric is a function of the C x C table of (true, predicted) counts, which scikit-learn's
functions take as C*C weighted pairs; so no split's logits are ever held.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import sklearn.metrics as sk
import torch
from scipy import stats

from headstart.config.traits import TaskName
from headstart.engine.losses import text_losses
from headstart.records import Scores


class Meter(Protocol):
    """Takes logits [n, C] (or [n, 1]) with labels, and at the end gives the metrics."""

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""

    def scores(self) -> Scores:
        """The metrics of all that was counted."""


def meter(task: TaskName, classes: int) -> Meter:
    """An empty meter for `task` with `classes` classes."""
    if task == "classification":
        return _ClassMeter(classes)
    return _LabelMeter(classes) if task == "multi-label" else _NumberMeter()


class _Loss:
    """The mean loss per text."""

    def __init__(self, task: TaskName) -> None:
        self._task, self._sum, self._count = task, 0.0, 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._sum += float(text_losses(logits, labels, self._task).sum())
        self._count += len(labels)

    @property
    def mean(self) -> float:
        return self._sum / max(1, self._count)


class _ClassMeter:
    def __init__(self, classes: int) -> None:
        self._loss = _Loss("classification")
        self._table = np.zeros((classes, classes), np.int64)

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._loss.add(logits, labels)
        np.add.at(self._table, (labels.cpu().numpy(), logits.argmax(-1).cpu().numpy()), 1)

    def scores(self) -> Scores:
        return {**class_scores(self._table), "loss": self._loss.mean}


def class_scores(table: np.ndarray) -> Scores:
    """Accuracy, balanced accuracy, macro-F1 and Matthews correlation of counts [C true, C predicted]."""
    true, predicted = np.nonzero(table)
    weights = table[true, predicted]
    present = np.unique(true)
    return {
        "accuracy": float(sk.accuracy_score(true, predicted, sample_weight=weights)),
        # Recall over the classes that occur, which is balanced_accuracy_score without its warning.
        "balanced_accuracy": float(
            sk.recall_score(
                true, predicted, labels=present, average="macro", sample_weight=weights, zero_division=0
            )
        ),
        "macro_f1": float(
            sk.f1_score(true, predicted, average="macro", sample_weight=weights, zero_division=0)
        ),
        "mcc": float(sk.matthews_corrcoef(true, predicted, sample_weight=weights)),
    }


class _LabelMeter:
    def __init__(self, classes: int) -> None:
        self._loss = _Loss("multi-label")
        self._tables = np.zeros((classes, 2, 2), np.int64)
        self._exact = self._count = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._loss.add(logits, labels)
        true, predicted = labels.cpu().numpy().astype(int), (logits > 0).cpu().numpy().astype(int)
        np.add.at(self._tables, (np.arange(true.shape[1])[None], true, predicted), 1)
        self._exact += int((true == predicted).all(-1).sum())
        self._count += len(true)

    def scores(self) -> Scores:
        return {
            "macro_f1": float(np.mean([_binary_f1(table) for table in self._tables])),
            "micro_f1": _binary_f1(self._tables.sum(0)),
            "exact_match": self._exact / max(1, self._count),
            "loss": self._loss.mean,
        }


def _binary_f1(table: np.ndarray) -> float:
    true, predicted = np.nonzero(np.ones((2, 2)))
    return float(sk.f1_score(true, predicted, sample_weight=table.ravel(), zero_division=0))


class _NumberMeter:
    """Correlations need all predictions: one number a text is kept."""

    def __init__(self) -> None:
        self._loss = _Loss("regression")
        self._true: list[np.ndarray] = []
        self._predicted: list[np.ndarray] = []

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._loss.add(logits, labels)
        self._true.append(labels.cpu().double().numpy())
        self._predicted.append(logits.squeeze(-1).cpu().double().numpy())

    def scores(self) -> Scores:
        true, predicted = np.concatenate(self._true), np.concatenate(self._predicted)
        return {**number_scores(true, predicted), "loss": self._loss.mean}


def number_scores(true: np.ndarray, predicted: np.ndarray) -> Scores:
    """Pearson's and Spearman's correlation, root mean squared and mean absolute error; arrays [N].

    A constant prediction correlates with nothing: 0, where scipy says undefined.
    """
    varied = len(true) > 1 and np.ptp(true) > 0 and np.ptp(predicted) > 0
    return {
        "pearson": float(stats.pearsonr(true, predicted).statistic) if varied else 0.0,
        "spearman": float(stats.spearmanr(true, predicted).statistic) if varied else 0.0,
        "rmse": float(sk.root_mean_squared_error(true, predicted)),
        "mae": float(sk.mean_absolute_error(true, predicted)),
    }
