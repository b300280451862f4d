"""One arm against another with all the certainty there is: over seeds, and over test texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from scipy import stats

from headstart.stats.crossed import Spread, crossed_interval
from headstart.stats.paired import holm, least_p, mcnemar, sign_flip
from headstart.stats.resample import over_seeds, percentile_interval
from headstart.stats.sequence import sequence_interval
from headstart.stats.summary import LEVEL, mean_interval, varies

Verdict = Literal["better", "worse", "no difference", "undecided"]
Binds = Literal["seeds", "texts"]
_ALPHA: Final = 1 - LEVEL
_UNKNOWN: Final = (None, None)


@dataclass(frozen=True)
class Sides:
    """What an arm, or its control, scored with S seeds.

    `by_seed` [S]; `by_text` [S, N], parts whose means over texts are these scores; `drawn` [D, S], the
    scores on texts drawn anew. Where texts are not known, or a metric has no parts by text, None.
    """

    by_seed: np.ndarray
    by_text: np.ndarray | None = None
    drawn: np.ndarray | None = None


@dataclass(frozen=True)
class SeedGap:
    """The difference with one seed: its 95% interval over texts (paired bootstrap), and McNemar's p."""

    difference: float
    low: float | None
    high: float | None
    mcnemar: float | None


@dataclass(frozen=True)
class Versus:
    """The difference of two arms that share S seeds, and N test texts or None.

    `low` and `high` are the main interval: over seeds and texts where texts are known, else over seeds, as
    `seeds_low` and `seeds_high` are always. `p` belongs to the main interval; `corrected` is Holm's, over
    all contrasts made at once. `bootstrap_low` and `bootstrap_high` are the multi-bootstrap's.
    `sequence_low` and `sequence_high` hold for all contrasts made at once and at every number of seeds
    (`stats.sequence`), so also where seeds were added until something was seen. `signs` is of the sign-flip
    test over seeds, which with so few seeds is never below `least`. `chance` is the probability that the arm
    is above its control. `each_seed` is about the very models of one seed. `binds` says which of seeds and
    texts makes the interval wide.
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
    sequence_low: float | None
    sequence_high: float | None
    signs: float | None
    least: float
    chance: float | None
    each_seed: tuple[SeedGap, ...]
    binds: Binds | None
    verdict: Verdict = "undecided"

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"each_seed": [asdict(one) for one in self.each_seed]}


def versus(arm: Sides, control: Sides, generator: np.random.Generator, tests: int = 1) -> Versus:
    """`arm` against `control`, which share seeds and, where these are known, texts; no verdict yet.

    One seed has no interval, nor have gaps that are equal with every seed and, where texts are known, on
    every text: they say nothing about chance. Methods without randomness still vary over texts.

    Args:
        generator: draws seeds, and sign flips where there are too many to try all.
        tests: how many contrasts are made at once.
    """
    by_seed = arm.by_seed - control.by_seed
    by_text = None if arm.by_text is None or control.by_text is None else arm.by_text - control.by_text
    drawn = None if arm.drawn is None or control.drawn is None else arm.drawn - control.drawn
    spread = over_both(by_seed, by_text)
    seeds = mean_interval(by_seed)
    boot = percentile_interval(over_seeds(drawn, generator)) if spread and drawn is not None else _UNKNOWN
    sequence = sequence_interval(by_seed, tests) or _UNKNOWN
    return Versus(
        n=len(by_seed),
        texts=by_text.shape[1] if by_text is not None else None,
        difference=float(by_seed.mean()),
        low=spread.low if spread else None,
        high=spread.high if spread else None,
        p=_p(spread),
        corrected=None,
        seeds_low=seeds[0],
        seeds_high=seeds[1],
        bootstrap_low=boot[0],
        bootstrap_high=boot[1],
        sequence_low=sequence[0],
        sequence_high=sequence[1],
        signs=sign_flip(by_seed, generator) if varies(by_seed) else None,
        least=least_p(len(by_seed)),
        chance=spread.chance_above_zero if spread else None,
        each_seed=tuple(_each_seed(arm, control, drawn)),
        binds=_binds(spread) if by_text is not None else None,
    )


def over_both(by_seed: np.ndarray, by_text: np.ndarray | None) -> Spread | None:
    """Over seeds and texts, [S, N], or over seeds alone where no texts are known; None without variation."""
    if len(by_seed) < 2:
        return None
    if by_text is not None and by_text.shape[1] > 1:
        return crossed_interval(by_text)
    low, high = mean_interval(by_seed)
    if low is None or high is None:
        return None
    error = float(np.std(by_seed, ddof=1) / np.sqrt(len(by_seed)))
    return Spread(float(by_seed.mean()), error, len(by_seed) - 1, low, high, error**2, 0.0, 0.0)


def _p(spread: Spread | None) -> float | None:
    return None if spread is None else float(2 * stats.t.sf(abs(spread.mean) / spread.error, spread.freedom))


def _each_seed(arm: Sides, control: Sides, drawn: np.ndarray | None) -> list[SeedGap]:
    gaps = arm.by_seed - control.by_seed
    ends: Sequence[tuple[float | None, float | None]] = (
        [_UNKNOWN] * len(gaps) if drawn is None else [percentile_interval(one) for one in drawn.T]
    )
    tests: Sequence[float | None] = _mcnemars(arm, control) or [None] * len(gaps)
    return [SeedGap(float(g), *end, p) for g, end, p in zip(gaps, ends, tests, strict=True)]


def _mcnemars(arm: Sides, control: Sides) -> list[float] | None:
    """Of right and wrong alone."""
    if arm.by_text is None or control.by_text is None:
        return None
    if not all(np.isin(one, (0, 1)).all() for one in (arm.by_text, control.by_text)):
        return None
    return [mcnemar(a, c) for a, c in zip(arm.by_text, control.by_text, strict=True)]


def _binds(spread: Spread | None) -> Binds | None:
    """Which part of the variance is the larger."""
    if spread is None:
        return None
    return "seeds" if spread.seeds > spread.texts else "texts"


def judged(
    contrasts: Sequence[Versus],
    *,
    lower_is_better: bool = False,
    margin: float | None = None,
    is_sequential: bool = False,
) -> list[Versus]:
    """The contrasts with p values corrected for their number, and verdicts by these.

    better or worse: the corrected p is below 5%. no difference: the main interval lies wholly within
    `margin` of zero. Else undecided, which does not mean equal.

    Args:
        is_sequential: seeds were added until something was seen, which p values and the main interval do not
            allow for; verdicts follow the sequence's interval alone.
    """
    known = [one.p for one in contrasts if one.p is not None]
    corrected = iter(holm(known))
    ready = [replace(one, corrected=None if one.p is None else next(corrected)) for one in contrasts]
    return [replace(one, verdict=_verdict(one, lower_is_better, margin, is_sequential)) for one in ready]


def _verdict(one: Versus, lower_is_better: bool, margin: float | None, is_sequential: bool) -> Verdict:
    low, high = (one.sequence_low, one.sequence_high) if is_sequential else (one.low, one.high)
    if low is None or high is None or one.corrected is None:
        return "undecided"
    if margin is not None and -margin <= low and high <= margin:
        return "no difference"
    if low <= 0 <= high if is_sequential else one.corrected >= _ALPHA:
        return "undecided"
    return "better" if (low + high > 0) != lower_is_better else "worse"
