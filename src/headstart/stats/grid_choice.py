"""Chooses among settings by their mean score over seeds: by all seeds, or for each seed by the others."""

from __future__ import annotations

import numpy as np


def choose_setting(scores: np.ndarray, *, lower_is_better: bool = False) -> int | None:
    """The setting with the best mean of `scores`, [P settings, S seeds]; of equals the earlier one.

    NaN where a run did not end. A setting that lacks a seed is chosen only where all do; then those with the
    most seeds count. None where no run ended.
    """
    ended = np.isfinite(scores)
    counts = ended.sum(1)
    most = counts.max(initial=0)
    if not most:
        return None
    means = np.where(ended, scores, 0.0).sum(1) / most
    means = np.where(counts == most, -means if lower_is_better else means, -np.inf)
    return int(np.argmax(means))


def choose_without_each(scores: np.ndarray, *, lower_is_better: bool = False) -> list[int | None]:
    """For each seed the setting that the other seeds choose, as `choose_setting`; of `scores` [P, S].

    Leave-one-out cross-validation of the choice (Stone 1974): a seed's luck on valid, which it shares with
    the test, has no say in the setting that it is judged at.
    """
    return [
        choose_setting(np.delete(scores, seed, axis=1), lower_is_better=lower_is_better)
        for seed in range(scores.shape[1])
    ]
