"""How far off a tuned arm's difference is, and how often its interval holds the truth: a case of coverage.py.

An arm that tries six settings, all equally good, is compared with one that tries none. A run's luck, its
seed's and its setting's, is the same on valid and on test, as that of a trained model is: who chooses by the
valid scores of the runs that are judged takes luck for skill. Three ways of choosing, each with the interval
over seeds and test examples that `run` and `compare` take:

- shared, naive: the setting with the best mean valid score over the seeds that judge it;
- shared, leaving out: each seed is judged at the setting that the other seeds choose (`tune.seeds: shared`);
- own seeds: two further seeds choose, and the others judge (the default).

Beside them an arm that had nothing to choose: what an interval misses there, choosing has no part in.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from headstart.stats.grid_choice import choose_setting, choose_without_each
from headstart.stats.summary import LEVEL
from headstart.stats.two_way import estimate_two_way

N_SETTINGS: Final = 6
#: Seeds that choose and judge nothing: the default of `tune.seeds`.
N_TUNING: Final = 2
#: Of a run's luck, in units of an answer's noise: some 2.6 points of accuracy at 80%.
LUCK: Final = 0.14
#: How much arms differ in what they find hard, and what both are better than chance by.
LEAN, LIFT = 0.5, 1.26


@dataclass(frozen=True)
class Law:
    """How runs come out: shares of the arm's, and of its control's, that only ever answer one class."""

    name: str
    collapse: float = 0.0
    control_collapse: float = 0.0

    @property
    def truth(self) -> float:
        """The expected difference to the control, in accuracy."""
        accuracy = float(stats.norm.cdf(LIFT / np.sqrt(2 + LEAN**2 + LUCK**2)))
        return (self.collapse - self.control_collapse) * (0.5 - accuracy)


LAWS: Final = (
    Law("no run collapses"),
    Law("15% of both arms' runs collapse", 0.15, 0.15),
    Law("15% of the tuned arm's collapse", 0.15),
)


@dataclass(frozen=True)
class Examples:
    """Two halves of a study's examples: how hard they are for each of both arms [2, N]."""

    valid: np.ndarray
    test: np.ndarray

    @classmethod
    def draw(cls, draws: np.random.Generator, n_examples: int) -> Examples:
        """As hard for both but for each arm's own part."""
        parts = (draws.normal(size=n_examples) + LEAN * draws.normal(size=(2, n_examples)) for _ in range(2))
        return cls(*parts)


@dataclass(frozen=True)
class Runs:
    """Runs [...] of one arm: their luck, and which of them collapsed."""

    luck: np.ndarray
    has_collapsed: np.ndarray

    @classmethod
    def draw(cls, draws: np.random.Generator, shape: tuple[int, ...], collapse: float = 0.0) -> Runs:
        """Independently."""
        return cls(LUCK * draws.normal(size=shape), draws.random(shape) < collapse)

    def answer(self, draws: np.random.Generator, hard: np.ndarray) -> np.ndarray:
        """Right (1) and wrong answers [..., N] to examples that are so hard [N]; half are of either class."""
        noise = draws.normal(size=(*self.luck.shape, len(hard)))
        right = hard + LIFT + self.luck[..., None] + noise > 0
        is_majority = np.arange(len(hard)) % 2 == 0
        return np.asarray(np.where(self.has_collapsed[..., None], is_majority, right), float)


def simulate_tuned(options: argparse.Namespace) -> Iterator[list[str]]:
    """Mean error of the difference in points, and in brackets how many intervals hold the truth."""
    yield ["runs", "examples", "seeds", "shared, naive", "shared, leaving out", "own seeds", "nothing chosen"]
    for law in LAWS:
        for n_examples in options.examples:
            for n_seeds in options.seeds:
                draws = np.random.default_rng([n_examples, n_seeds, LAWS.index(law)])
                studies = [_simulate_study(draws, law, n_seeds, n_examples) for _ in range(options.repeats)]
                cells = (_summarise([study[way] for study in studies], law.truth) for way in range(4))
                yield [law.name, str(n_examples), str(n_seeds), *cells]


def _simulate_study(draws: np.random.Generator, law: Law, n_seeds: int, n_examples: int) -> list[np.ndarray]:
    """The differences [S, N] that each of the ways judges by."""
    examples = Examples.draw(draws, n_examples)
    control = Runs.draw(draws, (n_seeds,), law.control_collapse).answer(draws, examples.test[1])
    runs = Runs.draw(draws, (N_SETTINGS, n_seeds), law.collapse)
    valid = runs.answer(draws, examples.valid[0]).mean(-1)
    test = runs.answer(draws, examples.test[0])
    tuning = Runs.draw(draws, (N_SETTINGS, N_TUNING), law.collapse)
    by_tuning = choose_setting(tuning.answer(draws, examples.valid[0]).mean(-1))
    by_others = choose_without_each(valid)
    return [
        test[choose_setting(valid)] - control,
        np.array([test[setting, seed] for seed, setting in enumerate(by_others)]) - control,
        test[by_tuning] - control,
        test[0] - control,
    ]


def _summarise(differences: list[np.ndarray], truth: float) -> str:
    """Mean error in points with its sign, and the share of 95% intervals that hold the truth."""
    estimates = [estimate_two_way(of_study) for of_study in differences]
    # An interval holds what its law does not refuse: one p is quicker than two ends.
    held = [estimate.compute_p(truth) >= 1 - LEVEL for estimate in estimates if estimate is not None]
    error = 100 * (float(np.mean([of_study.mean() for of_study in differences])) - truth)
    return f"{error:+.1f} ({100 * float(np.mean(held)):.1f}%)"
