"""What the engine asks of a task: the loss of each example, and what a meter keeps of it.

Shapes: n examples, C outputs, T tokens, V vocabulary, K numbers that a meter keeps of an example.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from headstart.data.tokenise import Tokens
from headstart.device import Precision
from headstart.records import Scores


class Meter(Protocol):
    """Metrics, streamed: takes what is kept of examples batch by batch, and at the end gives the metrics."""

    def add(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch: `outputs` [n, K] and the examples' labels, [n] or [n, C]."""

    def compute_scores(self) -> Scores:
        """The metrics of all that was counted."""


class Objective(Protocol):
    """A task, as far as the engine knows it."""

    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses [n], never reduced (whoever sums decides the weights); float32 at least.

        One that reads a number, or whose shapes depend on data, keeps a GPU's steps from being captured.

        `logits` are [n, C] with `labels` [n] or [n, C]; of a causal model [n, T, V] with token labels [n, T].
        """

    def reduce_logits(self, logits: torch.Tensor, labels: torch.Tensor, precision: Precision) -> torch.Tensor:
        """What a meter keeps of each example, [n, K], where the logits are."""

    def make_meter(self, outputs: int) -> Meter:
        """An empty meter for models with so many outputs."""

    def select_meter_labels(self, tokens: Tokens, labels: np.ndarray) -> np.ndarray:
        """What a meter takes beside the outputs of N examples, [N] or [N, C]."""
