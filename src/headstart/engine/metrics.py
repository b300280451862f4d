"""Metrics, streamed: batches of logits come in, counts are kept, scikit-learn's formulas come out.

A classification metric is a function of the C x C table of (true, predicted) counts, which scikit-learn's
functions take as C*C weighted pairs; so no split's logits are ever held.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import sklearn.metrics as sk
import torch
from scipy import stats

from headstart.records import Scores

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
        self._loss = MeanLoss(compute_losses)
        self._table = np.zeros((classes, classes), np.int64)

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._loss.add(outputs, labels)
        np.add.at(self._table, (labels.cpu().numpy(), outputs.argmax(-1).cpu().numpy()), 1)

    def scores(self) -> Scores:
        """`class_scores`, and the mean loss."""
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


class LabelSetMeter:
    """Of C labels that an example has or has not: logits [n, C] with 0 or 1 [n, C]."""

    def __init__(self, labels: int, compute_losses: Losses) -> None:
        self._loss = MeanLoss(compute_losses)
        self._tables = np.zeros((labels, 2, 2), np.int64)
        self._exact = self._count = 0

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch."""
        self._loss.add(outputs, labels)
        y_true, y_pred = labels.cpu().numpy().astype(int), (outputs > 0).cpu().numpy().astype(int)
        np.add.at(self._tables, (np.arange(y_true.shape[1])[None], y_true, y_pred), 1)
        self._exact += int((y_true == y_pred).all(-1).sum())
        self._count += len(y_true)

    def scores(self) -> Scores:
        """Macro- and micro-F1, exact match, and the mean loss."""
        return {
            "macro_f1": float(np.mean([_binary_f1(table) for table in self._tables])),
            "micro_f1": _binary_f1(self._tables.sum(0)),
            "exact_match": self._exact / max(1, self._count),
            "loss": self._loss.mean,
        }


def _binary_f1(table: np.ndarray) -> float:
    true, predicted = np.nonzero(np.ones((2, 2)))
    return float(sk.f1_score(true, predicted, sample_weight=table.ravel(), zero_division=0))


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

    def scores(self) -> Scores:
        """`number_scores`, and the mean loss."""
        y_true, y_pred = np.concatenate(self._y_true), np.concatenate(self._y_pred)
        return {**number_scores(y_true, y_pred), "loss": self._loss.mean}


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

    def scores(self) -> Scores:
        """As `token_scores`."""
        return token_scores(np.concatenate(self._sums), np.concatenate(self._counts))


#: Of larger losses the perplexity has no number.
_LARGEST_LOSS = 700.0


def token_scores(sums: np.ndarray, counts: np.ndarray) -> Scores:
    """Loss, perplexity exp(loss) and accuracy per token, of sums [N, 2] and token counts [N] of examples."""
    loss, hits = sums.sum(0) / max(1, int(counts.sum()))
    perplexity = math.exp(loss) if loss < _LARGEST_LOSS else math.inf
    return {"loss": float(loss), "perplexity": perplexity, "token_accuracy": float(hits)}


def number_scores(y_true: np.ndarray, y_pred: np.ndarray) -> Scores:
    """Pearson's and Spearman's correlation, root mean squared and mean absolute error; arrays [N].

    A constant prediction correlates with nothing: 0, where scipy says undefined.
    """
    varied = len(y_true) > 1 and np.ptp(y_true) > 0 and np.ptp(y_pred) > 0
    return {
        "pearson": float(stats.pearsonr(y_true, y_pred).statistic) if varied else 0.0,
        "spearman": float(stats.spearmanr(y_true, y_pred).statistic) if varied else 0.0,
        "rmse": float(sk.root_mean_squared_error(y_true, y_pred)),
        "mae": float(sk.mean_absolute_error(y_true, y_pred)),
    }
