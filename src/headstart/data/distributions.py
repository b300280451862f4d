"""How numbers are distributed: quantiles and histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

#: Bars of a histogram, at most.
MAX_BARS: Final = 10
_QUANTILES: Final = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "p95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class Bar:
    """How many numbers lie from `start` to below `stop`."""

    start: float
    stop: float
    count: int

    def to_dict(self) -> dict[str, float]:
        """Plain values, for `--json`."""
        return {"from": self.start, "to": self.stop, "count": self.count}


def compute_quantiles(values: np.ndarray) -> dict[str, float]:
    """Minimum, quartiles, 95th percentile and maximum, by name."""
    quantiles = np.quantile(values, list(_QUANTILES.values()))
    return dict(zip(_QUANTILES, map(float, quantiles), strict=True))


def compute_histogram(values: np.ndarray, max_bars: int = MAX_BARS) -> tuple[Bar, ...]:
    """At most `max_bars` bars of one width; whole numbers lie in bars of whole widths.

    The last bar may be narrower, and of numbers that are not whole it holds its upper end too.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.integer):
        width = max(1, -(-(int(high) - int(low) + 1) // max_bars))
        edges = np.append(np.arange(int(low), int(high) + 1, width, dtype=float), float(high) + 1)
    else:
        edges = np.linspace(float(low), float(high), max_bars + 1)
    counts, edges = np.histogram(values, edges)
    return tuple(
        Bar(float(start), float(stop), int(count))
        for start, stop, count in zip(edges[:-1], edges[1:], counts, strict=True)
    )
