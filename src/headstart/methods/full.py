"""Full fine-tuning: every weight trains."""

from __future__ import annotations

from headstart.methods.base import TrainedMethod


class Full(TrainedMethod):
    """All that a trained method does by default."""

    name = "full"


FULL = Full()
