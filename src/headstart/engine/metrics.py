"""Metrics, streamed: batches of logits come in, sums over examples are kept for `stats.metrics`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from headstart.records import Scores
from headstart.stats.measures import measure_numbers
from headstart.stats.metrics import (
    CLASS_METRICS,
    LABEL_METRICS,
    TOKEN_METRICS,
    count_classes,
    count_labels,
    score_sums,
)

#: Losses [n] of logits against labels.
Losses = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class MeanLoss:
    """The mean loss per example."""

    def __init__(self, compute_losses: Losses) -> None:
        self._compute, self._sum, self._count = compute_losses, 0.0, 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._sum += float(self._compute(logits, labels).sum())
        self._count += len(labels)

    @property
    def mean(self) -> float:
        """Over all that was counted."""
        return self._sum / max(1, self._count)


class ClassMeter:
    """Of C classes told apart: logits [n, C] with class indices [n]."""

    def __init__(self, classes: int, compute_losses: Losses) -> None:
        self._loss, self._classes = MeanLoss(compute_losses), classes
        self._sums = np.zeros(3 * classes, np.int64)

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._loss.add(outputs, labels)
        y_true, y_pred = labels.cpu().numpy(), outputs.argmax(-1).cpu().numpy()
        self._sums += count_classes(y_true, y_pred, self._classes)

    def compute_scores(self) -> Scores:
        """Accuracy, balanced accuracy, macro-F1, MCC and the mean loss."""
        return score_sums(CLASS_METRICS, self._sums) | {"loss": self._loss.mean}


class LabelSetMeter:
    """Of C labels that an example has or has not: logits [n, C] with 0 or 1 [n, C]."""

    def __init__(self, labels: int, compute_losses: Losses) -> None:
        self._loss = MeanLoss(compute_losses)
        self._sums = np.zeros(3 * labels, np.int64)
        self._exact = self._count = 0

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._loss.add(outputs, labels)
        y_true, y_pred = labels.cpu().numpy().astype(int), (outputs > 0).cpu().numpy().astype(int)
        self._sums += count_labels(y_true, y_pred)
        self._exact += int((y_true == y_pred).all(-1).sum())
        self._count += len(y_true)

    def compute_scores(self) -> Scores:
        """Macro- and micro-F1, exact match, and the mean loss."""
        exact_match = self._exact / max(1, self._count)
        return score_sums(LABEL_METRICS, self._sums) | {"exact_match": exact_match, "loss": self._loss.mean}


class NumberMeter:
    """Of numbers: predictions [n, 1] with labels [n]. Correlations need all of them: each is kept."""

    def __init__(self, compute_losses: Losses) -> None:
        self._loss = MeanLoss(compute_losses)
        self._y_true: list[np.ndarray] = []
        self._y_pred: list[np.ndarray] = []

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._loss.add(outputs, labels)
        self._y_true.append(labels.cpu().double().numpy())
        self._y_pred.append(outputs.squeeze(-1).cpu().double().numpy())

    def compute_scores(self) -> Scores:
        """Pearson's and Spearman's correlation, RMSE, MAE, and the mean loss."""
        y_true, y_pred = np.concatenate(self._y_true), np.concatenate(self._y_pred)
        measures, as_they_are = measure_numbers(y_true, y_pred), np.ones((1, len(y_true)))
        scores = {name: float(measure.on_resamples(as_they_are)[0]) for name, measure in measures.items()}
        # The loss as it was trained with, in the model's own format.
        return scores | {"loss": self._loss.mean}


class TokenMeter:
    """Of a language model: sums [n, 2] over each example's tokens, of losses and of tokens that were the
    likeliest, with the number of those tokens [n]."""

    def __init__(self) -> None:
        self._sums: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._sums.append(outputs.numpy())
        self._counts.append(labels.numpy())

    def compute_scores(self) -> Scores:
        """Loss, perplexity and accuracy per token."""
        return compute_token_scores(np.concatenate(self._sums), np.concatenate(self._counts))


def compute_token_scores(sums: np.ndarray, counts: np.ndarray) -> Scores:
    """Loss, perplexity and accuracy per token, of sums [N, 2] and token counts [N] of examples."""
    return score_sums(TOKEN_METRICS, np.array([*sums.sum(0), counts.sum()]))
