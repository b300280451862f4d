"""An interval for a difference that holds however often seeds are added, over seeds and test examples.

A confidence sequence covers the seeds on these very examples, at every number of them at once. The examples'
own error, by how much these differ from all others, is a single draw that no further seed draws anew: so one
interval for it holds at every look. Each of the two has half the chance to err, and their sum the whole (a
union bound). Where examples are not known, the sequence has all of it, and holds on this test set only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

import numpy as np
from scipy import stats

from headstart.stats.bounded import find_end, limit_variance
from headstart.stats.confidence_sequence import compute_confidence_sequence, count_required_signs
from headstart.stats.summary import ALPHA
from headstart.stats.t_sequence import compute_t_sequence, find_reach_in_deviations
from headstart.stats.two_way import TwoWayEstimate

#: What a sequence bets on: signs, about the median and without a law; t, about the mean of normal ones.
SequenceKind = Literal["signs", "t"]
Ends = tuple[float, float]


@dataclass(frozen=True)
class _Sequence:
    """How its interval is computed, and with how many seeds it has ends."""

    compute: Callable[[np.ndarray, float, float], Ends | None]
    has_ends: Callable[[int, float], bool]


_SEQUENCES: Final[Mapping[SequenceKind, _Sequence]] = {
    "signs": _Sequence(
        lambda differences, alpha, _: compute_confidence_sequence(differences, alpha),
        lambda n_seeds, alpha: count_required_signs(n_seeds, alpha) is not None,
    ),
    "t": _Sequence(
        compute_t_sequence, lambda n_seeds, alpha: find_reach_in_deviations(n_seeds, alpha) is not None
    ),
}


def compute_sequential_interval(
    by_seed: np.ndarray,
    examples: TwoWayEstimate | None,
    alpha: float = ALPHA,
    sequence: SequenceKind = "signs",
    limit: float = math.inf,
) -> Ends | None:
    """The interval of a difference with seeds' differences [S], valid at every S; None with too few seeds.

    Args:
        examples: tells the variance that other examples, or groups of them, add, and its degrees of freedom;
            None where they are not known.
        alpha: the chance that it ever misses.
        limit: the most that a difference can be, to either side; no end is beyond (`stats.bounded`).
    """
    compute = _SEQUENCES[sequence].compute
    if examples is None:
        return compute(by_seed, alpha, limit)
    ends = compute(by_seed, alpha / 2, limit)
    if ends is None:
        return None
    quantile = float(stats.t.isf(alpha / 4, examples.examples_df))
    low, high = (
        _add_examples(end, side * quantile, examples, limit) for end, side in zip(ends, (-1, 1), strict=True)
    )
    return low, high


def _add_examples(end: float, quantile: float, examples: TwoWayEstimate, limit: float) -> float:
    """An end over seeds, moved by what other examples may add: `quantile` standard errors, with its sign."""

    def find_reach(candidate: float) -> float:
        variance = limit_variance(examples.examples_variance, examples.examples_df, end, candidate, limit)
        return abs(quantile) * math.sqrt(variance)

    return find_end(end, end + quantile * math.sqrt(examples.examples_variance), limit, find_reach)


def find_min_seeds(
    n_tests: int = 1, *, covers_examples: bool = True, sequence: SequenceKind = "signs"
) -> int:
    """The fewest seeds with which an interval has ends: of one difference by signs 8, and 7 on these examples
    alone.

    Args:
        n_tests: differences whose intervals shall all hold at once (Bonferroni).
    """
    alpha = ALPHA / n_tests / (2 if covers_examples else 1)
    return next(n_seeds for n_seeds in count(2) if _SEQUENCES[sequence].has_ends(n_seeds, alpha))
