"""Multi-label classification: any number of C labels for each example."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from headstart.engine.losses import upcast_logits
from headstart.engine.metrics import LabelSetMeter
from headstart.engine.objective import Meter
from headstart.tasks.labelled import LabelledTask


class MultiLabel(LabelledTask):
    """Logits [n, C] with 0 or 1 for each label [n, C]."""

    name = "multi-label"

    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Binary cross-entropy, averaged over the C labels: what transformers' models compute themselves."""
        logits = upcast_logits(logits)
        losses = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return losses.mean(-1)

    def make_meter(self, outputs: int) -> Meter:
        """Macro-F1, micro-F1, exact match and loss."""
        return LabelSetMeter(outputs, self.compute_losses)

    def compute_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Of each label by itself."""
        return upcast_logits(logits).sigmoid()


MULTI_LABEL = MultiLabel()
