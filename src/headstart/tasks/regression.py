"""Regression: one number for each example."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from headstart.engine.losses import upcast_logits
from headstart.engine.metrics import NumberMeter
from headstart.engine.objective import Meter
from headstart.tasks.labelled import LabelledTask


class Regression(LabelledTask):
    """Predictions [n, 1] with numbers [n]."""

    name = "regression"

    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Squared error: what transformers' models compute themselves."""
        predictions = upcast_logits(logits).squeeze(-1)
        return F.mse_loss(predictions, labels.to(predictions.dtype), reduction="none")

    def make_meter(self, outputs: int) -> Meter:
        """Pearson's and Spearman's correlation, RMSE, MAE and loss."""
        return NumberMeter(self.compute_losses)

    def compute_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """The number itself."""
        return upcast_logits(logits)


REGRESSION = Regression()
