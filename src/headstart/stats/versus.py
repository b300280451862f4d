"""One arm against another with all the certainty there is: over seeds, and over test texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from scipy import stats

from headstart.stats.crossed import LEVEL, Spread, crossed_interval, multi_bootstrap, percentile_interval
from headstart.stats.paired import holm, least_p, mcnemar, sign_flip
from headstart.stats.summary import mean_interval

Verdict = Literal["better", "worse", "no difference", "undecided"]
_ALPHA: Final = 1 - LEVEL


@dataclass(frozen=True)
class Versus:
    """The difference of two arms that share S seeds, and N test texts or None.

    `low` and `high` are the main interval: over seeds and texts where texts are known, else over seeds, as
    `seeds_low` and `seeds_high` are always. `p` belongs to the main interval; `corrected` is Holm's, over
    all contrasts made at once. `signs` is of the sign-flip test over seeds, which with so few seeds is never
    below `least`. `chance` is the probability that the arm is above its control. `mcnemar` has a p for each
    seed, of right and wrong alone. `binds` says which of seeds and texts makes the interval wide.
    """

    n: int
    texts: int | None
    difference: float
    low: float | None
    high: float | None
    p: float | None
    corrected: float | None
    seeds_low: float | None
    seeds_high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    signs: float | None
    least: float
    chance: float | None
    mcnemar: tuple[float, ...]
    binds: Literal["seeds", "texts"] | None
    verdict: Verdict = "undecided"

    @property
    def facts(self) -> dict[str, object]:
        """Plain values."""
        return {**self.__dict__, "mcnemar": list(self.mcnemar)}


def versus(arm: np.ndarray, control: np.ndarray, generator: np.random.Generator, draws: int = 2000) -> Versus:
    """`arm` against `control`, both [S] scores by seed, or [S, N] scores by seed and text; no verdict yet.

    One seed has no interval, nor have gaps that are equal with every seed and, where texts are known, on
    every text: they say nothing about chance. Methods without randomness still vary over texts.
    """
    gaps = arm - control
    by_seed = gaps if gaps.ndim == 1 else gaps.mean(1)
    varies = len(by_seed) > 1 and bool(np.ptp(by_seed) > 0)
    seeds = mean_interval(by_seed)
    spread = _over_both(gaps) if varies or (gaps.ndim == 2 and len(gaps) > 1) else None
    boot = (
        percentile_interval(multi_bootstrap(gaps, generator, draws))
        if spread and gaps.ndim == 2
        else (None, None)
    )
    return Versus(
        n=len(by_seed),
        texts=gaps.shape[1] if gaps.ndim == 2 else None,
        difference=float(by_seed.mean()),
        low=spread.low if spread else None,
        high=spread.high if spread else None,
        p=_p(spread),
        corrected=None,
        seeds_low=seeds[0],
        seeds_high=seeds[1],
        bootstrap_low=boot[0],
        bootstrap_high=boot[1],
        signs=sign_flip(by_seed, generator) if varies else None,
        least=least_p(len(by_seed)),
        chance=spread.chance_above_zero if spread else None,
        mcnemar=_each_seed(arm, control),
        binds=_binds(spread) if gaps.ndim == 2 else None,
    )


def _over_both(gaps: np.ndarray) -> Spread | None:
    """Over seeds and texts, or over seeds alone where no texts are known."""
    if gaps.ndim == 2 and gaps.shape[1] > 1:
        return crossed_interval(gaps)
    low, high = mean_interval(gaps.reshape(-1))
    if low is None or high is None:
        return None
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps)))
    return Spread(float(gaps.mean()), error, len(gaps) - 1, low, high, error**2, 0.0, 0.0)


def _p(spread: Spread | None) -> float | None:
    return None if spread is None else float(2 * stats.t.sf(abs(spread.mean) / spread.error, spread.freedom))


def _each_seed(arm: np.ndarray, control: np.ndarray) -> tuple[float, ...]:
    is_right = arm.ndim == 2 and bool(np.isin(arm, (0, 1)).all() and np.isin(control, (0, 1)).all())
    return tuple(mcnemar(a, c) for a, c in zip(arm, control, strict=True)) if is_right else ()


def _binds(spread: Spread | None) -> Literal["seeds", "texts"] | None:
    """Which part of the variance is the larger."""
    if spread is None:
        return None
    return "seeds" if spread.seeds > spread.texts else "texts"


def judged(
    contrasts: Sequence[Versus], *, lower_is_better: bool = False, margin: float | None = None
) -> list[Versus]:
    """The contrasts with p values corrected for their number, and verdicts by these.

    better or worse: the corrected p is below 5%. no difference: the main interval lies wholly within
    `margin` of zero. Else undecided, which does not mean equal.
    """
    known = [one.p for one in contrasts if one.p is not None]
    corrected = iter(holm(known))
    ready = [replace(one, corrected=None if one.p is None else next(corrected)) for one in contrasts]
    return [replace(one, verdict=_verdict(one, lower_is_better, margin)) for one in ready]


def _verdict(one: Versus, lower_is_better: bool, margin: float | None) -> Verdict:
    if one.low is None or one.high is None or one.corrected is None:
        return "undecided"
    if margin is not None and -margin <= one.low and one.high <= margin:
        return "no difference"
    if one.corrected >= _ALPHA:
        return "undecided"
    return "better" if (one.difference > 0) != lower_is_better else "worse"
