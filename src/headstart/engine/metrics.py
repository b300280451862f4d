"""Metrics, streamed: batches of logits come in, sums over examples are kept, `stats.metrics` does the rest.

No split's logits are ever held.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from headstart.config.traits import TaskName
from headstart.engine.losses import text_losses
from headstart.records import Scores
from headstart.stats.measures import measure_numbers
from headstart.stats.metrics import CLASS_METRICS, LABEL_METRICS, count_classes, count_labels, score_sums


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


class _LossMeter:
    """The mean loss per example."""

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
        self._loss, self._classes = _LossMeter("classification"), classes
        self._sums = np.zeros(3 * classes, np.int64)

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._loss.add(logits, labels)
        y_true, y_pred = labels.cpu().numpy(), logits.argmax(-1).cpu().numpy()
        self._sums += count_classes(y_true, y_pred, self._classes)

    def scores(self) -> Scores:
        return score_sums(CLASS_METRICS, self._sums) | {"loss": self._loss.mean}


class _LabelMeter:
    def __init__(self, classes: int) -> None:
        self._loss = _LossMeter("multi-label")
        self._sums = np.zeros(3 * classes, np.int64)
        self._exact = self._count = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._loss.add(logits, labels)
        y_true, y_pred = labels.cpu().numpy().astype(int), (logits > 0).cpu().numpy().astype(int)
        self._sums += count_labels(y_true, y_pred)
        self._exact += int((y_true == y_pred).all(-1).sum())
        self._count += len(y_true)

    def scores(self) -> Scores:
        exact_match = self._exact / max(1, self._count)
        return score_sums(LABEL_METRICS, self._sums) | {"exact_match": exact_match, "loss": self._loss.mean}


class _NumberMeter:
    """Correlations need all predictions: one number an example is kept."""

    def __init__(self) -> None:
        self._loss = _LossMeter("regression")
        self._true: list[np.ndarray] = []
        self._predicted: list[np.ndarray] = []

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self._loss.add(logits, labels)
        self._true.append(labels.cpu().double().numpy())
        self._predicted.append(logits.squeeze(-1).cpu().double().numpy())

    def scores(self) -> Scores:
        y_true, y_pred = np.concatenate(self._true), np.concatenate(self._predicted)
        measures, as_they_are = measure_numbers(y_true, y_pred), np.ones((1, len(y_true)))
        scores = {name: float(measure.on_resamples(as_they_are)[0]) for name, measure in measures.items()}
        # The loss as it was trained with, in the model's own format.
        return scores | {"loss": self._loss.mean}
