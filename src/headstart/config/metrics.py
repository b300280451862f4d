"""Which way a metric is better, which are shares, and what values it can have; knows names only."""

from __future__ import annotations

import math
from typing import Final

LOWER_IS_BETTER: Final = frozenset({"loss", "rmse", "mae", "perplexity"})
#: Shares, shown as percentages; differences between them are "points".
SHARES: Final = frozenset(
    {"accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "exact_match", "token_accuracy", "stopped"}
)
#: Those that count right answers, so that what is left to one is a share of errors.
ERROR_SHARES: Final = frozenset({"accuracy", "balanced_accuracy", "exact_match", "token_accuracy"})
#: Correlations of two numbers an example, and of two classes.
NUMBER_CORRELATIONS: Final = frozenset({"pearson", "spearman"})
CORRELATIONS: Final = NUMBER_CORRELATIONS | {"mcc"}


def get_bounds(metric: str) -> tuple[float, float]:
    """The least and the most that it can be; infinite where there is no such end, or none is known."""
    if metric in SHARES:
        return 0.0, 1.0
    if metric in CORRELATIONS:
        return -1.0, 1.0
    return (0.0 if metric in LOWER_IS_BETTER else -math.inf), math.inf


def is_better(metric: str, new: float, old: float | None) -> bool:
    """Whether `new` beats `old` strictly, so that a tie keeps the earlier one."""
    if new != new:
        return False
    if old is None or old != old:
        return True
    return new < old if metric in LOWER_IS_BETTER else new > old
