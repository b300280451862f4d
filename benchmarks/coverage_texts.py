"""For which training examples intervals hold: a case of coverage.py.

What a run has learnt varies with its seed's luck and with its training examples: each adds its own to the
mean of those that the run learns from. A study has one pool of texts, and its seeds learn from all of them,
leave out a fold each, or draw bootstrap samples. Counted is how often the interval over seeds and test
examples holds the expected difference between arms

- for these texts: where all seeds learn from the pool;
- for texts like these: where every study had another pool;

the latter by the interval as it is, and by the one that allows for what all seeds share.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import stats

from headstart.analysis.training_question import find_shared_part
from headstart.config.study import Data
from headstart.data.corpus import Examples
from headstart.data.training_texts import draw_training_texts
from headstart.stats.two_way import TwoWayEstimate, estimate_two_way

#: Texts of the pool, and how much arms differ in which test examples they find hard.
POOL, LEAN = 200, 0.5
#: Deviations, in units of an answer's noise, of what seeds and of what texts do to a run.
LUCK: Final = {"texts as seeds": (0.1, 0.1), "texts more": (0.05, 0.15), "texts less": (0.15, 0.05)}
RULES: Final = ("fixed", "folds", "bootstrap")


def simulate_texts(options: argparse.Namespace) -> Iterator[list[str]]:
    """Shares of 95% intervals that hold each truth, with their mean width in points."""
    heads = (f"{rule}, {how}" for rule in RULES[1:] for how in ("as it is", "corrected"))
    yield ["luck", "examples", "seeds", "fixed, these texts", "fixed, texts like these", *heads]
    for name, (of_seeds, of_texts) in LUCK.items():
        for n_examples in options.examples:
            for n_seeds in options.seeds:
                draws = np.random.default_rng([n_examples, n_seeds])
                studies = [
                    list(_simulate_study(draws, n_seeds, n_examples, of_seeds, of_texts))
                    for _ in range(options.repeats)
                ]
                cells = (_summarise([study[i] for study in studies]) for i in range(6))
                yield [name, str(n_examples), str(n_seeds), *cells]


def _simulate_study(
    draws: np.random.Generator, n_seeds: int, n_examples: int, of_seeds: float, of_texts: float
) -> Iterator[tuple[float, TwoWayEstimate]]:
    """Truth and estimate, column by column. Arms do not differ over all texts: that truth is zero."""
    pools = of_texts * np.sqrt(POOL) * draws.normal(size=(2, POOL))
    hard = draws.normal(size=n_examples) + LEAN * draws.normal(size=(2, n_examples))
    pool = Examples([""] * POOL, np.zeros(POOL, np.float32), range(POOL))
    deviation = np.sqrt(2 + LEAN**2 + of_seeds**2)
    means = stats.norm.cdf(pools.mean(1) / deviation)
    for rule in RULES:
        data = Data.model_validate({"path": "-", "training_texts": rule})
        learnt = [draw_training_texts(pool, "all", seed, data) for seed in range(n_seeds)]
        abilities = np.array([[of_arm[texts].mean() for texts in learnt] for of_arm in pools])
        estimate = _estimate(draws, hard, abilities + of_seeds * draws.normal(size=(2, n_seeds)))
        if rule == "fixed":
            yield float(means[0] - means[1]), estimate
        yield 0.0, estimate
        if rule != "fixed":
            yield 0.0, estimate.add_shared_part(n_seeds, find_shared_part(data, "all"))


def _estimate(draws: np.random.Generator, hard: np.ndarray, abilities: np.ndarray) -> TwoWayEstimate:
    """Of right and wrong answers of two arms' runs [2, S] to examples that are so hard for each [2, N]."""
    noise = draws.normal(size=(*abilities.shape, hard.shape[1]))
    right = (hard[:, None, :] + abilities[..., None] + noise > 0).astype(float)
    estimate = estimate_two_way(right[0] - right[1])
    assert estimate is not None
    return estimate


def _summarise(found: list[tuple[float, TwoWayEstimate]]) -> str:
    ends = [(truth, *estimate.compute_interval()) for truth, estimate in found]
    coverage = 100 * float(np.mean([low <= truth <= high for truth, low, high in ends]))
    width = 100 * float(np.mean([high - low for _, low, high in ends]))
    return f"{coverage:.1f}% ({width:.1f})"
