"""Which epoch of a run is its best so far: the rule by which one is chosen, and by which curves are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headstart.config.metrics import is_better
from headstart.records import EpochPoint


def is_better_epoch(epoch: EpochPoint, best: EpochPoint | None, metric: str) -> bool:
    """Whether `epoch` is chosen over the best epoch before it: of equals the earlier stays."""
    return best is None or is_better(metric, epoch.valid[metric], best.valid[metric])


def iter_best_places(scores: Iterable[float], metric: str) -> Iterator[int]:
    """After each epoch the place, from 0, of the one that would be chosen so far, by valid `scores`."""
    best = 0
    chosen: float | None = None
    for place, score in enumerate(scores):
        if chosen is None or is_better(metric, score, chosen):
            best, chosen = place, score
        yield best
