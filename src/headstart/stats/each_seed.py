"""The difference with each seed by itself: its interval over examples, and McNemar's test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.stats.compared import UNKNOWN, PairedScores, SeedDifference
from headstart.stats.paired_tests import mcnemar_p
from headstart.stats.resample import compute_percentile_interval


def compare_each_seed(
    arm: PairedScores, control: PairedScores, resampled: np.ndarray | None
) -> list[SeedDifference]:
    """One for each of S seeds, from the differences `resampled` [D, S] where examples are known."""
    differences = arm.by_seed - control.by_seed
    intervals: Sequence[tuple[float | None, float | None]] = (
        [UNKNOWN] * len(differences)
        if resampled is None
        else [compute_percentile_interval(column) for column in resampled.T]
    )
    p_values: Sequence[float | None] = _mcnemar_p_values(arm, control) or [None] * len(differences)
    return [
        SeedDifference(float(difference), *interval, p)
        for difference, interval, p in zip(differences, intervals, p_values, strict=True)
    ]


def _mcnemar_p_values(arm: PairedScores, control: PairedScores) -> list[float] | None:
    """One for each seed; None where parts by example are not right or wrong alone."""
    if arm.by_example is None or control.by_example is None:
        return None
    if not all(np.isin(scores, (0, 1)).all() for scores in (arm.by_example, control.by_example)):
        return None
    pairs = zip(arm.by_example, control.by_example, strict=True)
    return [mcnemar_p(a, c, arm.groups) for a, c in pairs]
