"""How often the ranking errs: a best arm below tier 1, a false rank, a cheapest arm beyond the margin."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from scipy import stats

from coverage_laws import LEAN, draw_right
from headstart.analysis.judging import Judging
from headstart.analysis.ranking import Ranking, rank_arms
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import describe_metric
from headstart.records import RunRecord
from headstart.stats.measures import MeanMeasure

#: By how many points of accuracy each arm lies below the best, which has 70%.
CASES: Final[Mapping[str, tuple[float, ...]]] = {
    "3 equal": (0,) * 3,
    "6 equal": (0,) * 6,
    "2 best, 4 below by 3": (0, 0, 3, 3, 3, 3),
    "6, each 2 below the next": (0, 2, 4, 6, 8, 10),
    "best, 2 below by the margin": (0, 5, 5),
}
#: In points.
MARGIN: Final = 5.0
BEST: Final = 0.7
SHIFTS: Final = {"small": 0.03, "large": 0.3}


def simulate_ranking(options: argparse.Namespace) -> Iterator[list[str]]:
    """Arms with known gaps, ranked as `run` and `compare` do: in how many studies each mistake was made.

    The worse an arm the fewer parameters it trains, so that the cheapest within the margin is the arm most
    likely to be beyond it.
    """
    mistakes = ["best below tier 1", "rank missed", "beyond the margin", "cheapest beyond"]
    yield ["arms", "examples", "seeds", "shift", *mistakes, "in tier 1", "cheapest named"]
    for name, gaps in CASES.items():
        for n_examples in options.examples:
            for n_seeds in options.seeds:
                for word, shift in SHIFTS.items():
                    draws = np.random.default_rng([n_examples, n_seeds])
                    judged = [
                        _judge(_rank(draws, gaps, n_examples, n_seeds, shift), gaps)
                        for _ in range(options.repeats)
                    ]
                    yield [name, f"{n_examples:,}", str(n_seeds), word, *_summarise(judged)]


def _rank(
    draws: np.random.Generator, gaps: Sequence[float], n_examples: int, n_seeds: int, shift: float
) -> Ranking:
    """Of arms that share test examples, and differ in what they find hard."""
    hard, deviation = draws.normal(size=n_examples), np.sqrt(2 + LEAN**2 + shift**2)
    scores, runs = [], []
    for i, gap in enumerate(gaps):
        lift = deviation * stats.norm.ppf(BEST - gap / 100)
        ease = hard + LEAN * draws.normal(size=n_examples) + lift
        scores.append(_make_scores(str(i), draw_right(draws, ease, n_seeds, shift)))
        runs.append(_make_run(str(i), n_parameters=len(gaps) - i))
    judging = Judging(describe_metric("accuracy"), margin=MARGIN)
    ranking = rank_arms(scores, judging, left_out=None, runs=runs)
    assert ranking is not None
    return ranking


def _make_scores(arm: str, right: np.ndarray) -> ArmScores:
    """Of right and wrong answers [S, N]."""
    by_seed = dict(enumerate(right.mean(1).tolist()))
    measures = {seed: MeanMeasure(row) for seed, row in enumerate(right)}
    return ArmScores(arm, "all", None, by_seed, measures, test_digest="d", n_examples=right.shape[1])


def _make_run(arm: str, n_parameters: int) -> RunRecord:
    """What a ranking is told of costs."""
    values = {"arm": arm, "size": "all", "seed": 0, "status": "done", "train_examples": 1, "seconds": 1.0}
    return RunRecord.model_validate(
        values
        | {"parameters": {"total": n_parameters, "trainable": n_parameters}, "valid": None, "test": None}
    )


def _judge(ranking: Ranking, gaps: Sequence[float]) -> tuple[float, ...]:
    """Whether each mistake was made; how many arms are in tier 1, and whether a cheapest is named."""
    gap_of = {str(i): gap for i, gap in enumerate(gaps)}
    beyond = {arm for arm, gap in gap_of.items() if gap - min(gaps) >= MARGIN}
    first = [row.arm for row in ranking.tiers if row.tier == 1]
    best = {arm for arm, gap in gap_of.items() if gap == min(gaps)}
    missed = any(not _holds_rank(row.rank_low, row.rank_high, gap_of[row.arm], gaps) for row in ranking.tiers)
    cheapest = {cost.arm for cost in ranking.cheapest}
    within = set(ranking.within_margin or ())
    mistakes = (not best <= set(first), missed, bool(within & beyond), bool(cheapest & beyond))
    return (*map(float, mistakes), float(len(first)), float(bool(cheapest)))


def _holds_rank(low: int, high: int, gap: float, gaps: Sequence[float]) -> bool:
    """Whether the interval has a rank of the arm; those of equal arms are any that they share."""
    better, equal = sum(other < gap for other in gaps), sum(other == gap for other in gaps)
    return low <= better + 1 and high >= better + equal


def _summarise(judged: Sequence[tuple[float, ...]]) -> Iterator[str]:
    *mistakes, n_first, named = np.mean(judged, axis=0)
    yield from (f"{100 * share:.1f}%" for share in mistakes)
    yield from (f"{n_first:.1f}", f"{100 * named:.0f}%")
