"""One number for each example."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from headstart.config.study import Data
from headstart.data.corpus import Part, Row
from headstart.data.distributions import compute_histogram, compute_quantiles
from headstart.data.labels.base import LabelKey, LabelStatistics, LabelType
from headstart.data.texts import shorten
from headstart.errors import DataError

#: What float32, in which labels are kept, can hold.
LARGEST: Final = float(np.finfo(np.float32).max)


class NumberLabel(LabelType):
    """Labels are numbers [N], float32."""

    def encode(self, rows: Sequence[Row], names: Sequence[str], data: Data) -> np.ndarray:
        """The numbers, in 32 bits."""
        return np.array([_parse_number(row) for row in rows], np.float32)

    def make_key(self, row: Row, data: Data) -> LabelKey:
        """The number in 64 bits."""
        return (_parse_number(row),)

    def check_learnable(self, labels: np.ndarray, names: Sequence[str]) -> None:
        """One value leaves nothing to tell apart."""
        if np.ptp(labels) == 0:
            raise DataError(f"every training label is {labels[0]:g}", where="data", expected="two values")

    def find_only_value(self, labels: np.ndarray, names: Sequence[str]) -> str | None:
        """The one number."""
        return f"the number {labels[0]:g}" if np.ptp(labels) == 0 else None

    def summarise(self, labels: Mapping[Part, np.ndarray], names: Sequence[str]) -> LabelStatistics:
        """Quantiles of each part, and a histogram of the training labels."""
        return LabelStatistics(
            quantiles={part: compute_quantiles(values) for part, values in labels.items()},
            histogram=compute_histogram(labels["train"]),
        )


def _parse_number(row: Row) -> float:
    try:
        # Python takes 1_000 for a number, which no table means.
        value = math.nan if "_" in str(row.label) else float(cast(Any, row.label))
    except (TypeError, ValueError, OverflowError):  # the latter of a whole number of 309 digits
        value = math.nan
    if not math.isfinite(value):
        has_digit = isinstance(row.label, str) and any(map(str.isdigit, row.label))
        fix = "write it as a plain decimal, such as 0.5" if has_digit else None
        raise DataError(f"label {shorten(row.label)}", where=row.where, expected="a finite number", fix=fix)
    if abs(value) > LARGEST:
        raise DataError(
            f"label {shorten(row.label)} is too large",
            where=row.where,
            expected=f"at most {LARGEST:.2g} (32 bits)",
        )
    return value
