"""Which way a metric is better, and which are shares; knows names only, computes nothing."""

from __future__ import annotations

from typing import Final

LOWER_IS_BETTER: Final = frozenset({"loss", "rmse", "mae", "perplexity"})
#: Shares, shown as percentages; differences between them are "points".
SHARES: Final = frozenset(
    {"accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "exact_match", "token_accuracy", "stopped"}
)


def is_better(metric: str, new: float, old: float | None) -> bool:
    """Whether `new` beats `old` strictly, so that a tie keeps the earlier one."""
    if new != new:
        return False
    if old is None or old != old:
        return True
    return new < old if metric in LOWER_IS_BETTER else new > old
