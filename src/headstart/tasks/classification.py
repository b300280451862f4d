"""Classification: one of C classes for each example."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from headstart.engine.losses import upcast_logits
from headstart.engine.metrics import ClassMeter
from headstart.engine.objective import Meter
from headstart.tasks.labelled import LabelledTask


class Classification(LabelledTask):
    """Logits [n, C] with class indices [n]."""

    name = "classification"

    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross-entropy: what transformers' models compute themselves."""
        return F.cross_entropy(upcast_logits(logits), labels, reduction="none")

    def make_meter(self, outputs: int) -> Meter:
        """Accuracy, balanced accuracy, macro-F1, MCC and loss."""
        return ClassMeter(outputs, self.compute_losses)

    def compute_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Of each class, which add up to 1."""
        return upcast_logits(logits).softmax(-1)


CLASSIFICATION = Classification()
