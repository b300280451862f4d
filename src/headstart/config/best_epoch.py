"""Which epoch of a run is its best so far: the rule by which one is chosen, and by which curves are drawn."""

from __future__ import annotations

from headstart.config.metrics import is_better
from headstart.records import EpochPoint


def is_better_epoch(epoch: EpochPoint, best: EpochPoint | None, metric: str) -> bool:
    """Whether `epoch` is chosen over the best epoch before it: of equals the earlier stays."""
    return best is None or is_better(metric, epoch.valid[metric], best.valid[metric])
