"""A toy task in one file: classes told apart by focal loss (Lin et al. 2017, equation 4, gamma 2)."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from headstart.config.traits import get_task_traits
from headstart.engine.losses import upcast_logits
from headstart.tasks.classification import Classification


class Focal(Classification):
    """As classification, but easy examples weigh little."""

    name = "focal"

    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(1 - p)^2 times the cross-entropy, p being the probability of the true class."""
        losses = F.cross_entropy(upcast_logits(logits), labels, reduction="none")
        return (1 - torch.exp(-losses)) ** 2 * losses


FOCAL = Focal()
TRAITS = replace(
    get_task_traits("classification"), name="focal", implementation="toys.focal:FOCAL", tells_metrics=False
)
