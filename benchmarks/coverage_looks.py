"""How often a study that grows by hand, and is looked at each time, says of equal arms that some differ."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from headstart.stats.looks import compute_look_alpha
from headstart.stats.summary import LEVEL
from headstart.stats.two_way import estimate_two_way

#: Seeds at each look.
LOOKS: Final = (3, 5, 8, 10, 15, 20)
#: In units of an answer's noise: a seed's own shift, and how much arms differ in what they find hard.
SHIFTS: Final = (0.03, 0.1, 0.3)
LEAN: Final = 0.5
#: Contrasts: arms beside the control, and sizes.
FAMILIES: Final = {1: (1, 1), 15: (5, 3)}


def draw_study(
    draws: np.random.Generator, n_arms: int, n_sizes: int, n_examples: int, shift: float
) -> Iterator[np.ndarray]:
    """Differences [S, N] of each arm from its control, none better than another."""
    hard = draws.standard_normal(n_examples, dtype=np.float32)
    for _ in range(n_sizes):
        control = _draw_right(draws, hard, shift)
        for _ in range(n_arms):
            yield _draw_right(draws, hard, shift) - control


def _draw_right(draws: np.random.Generator, hard: np.ndarray, shift: float) -> np.ndarray:
    """Right and wrong [S, N] of a model that is right half the time."""
    lean = LEAN * draws.standard_normal(hard.shape, dtype=np.float32)
    shifts = shift * draws.standard_normal((LOOKS[-1], 1), dtype=np.float32)
    noise = draws.standard_normal((LOOKS[-1], len(hard)), dtype=np.float32)
    return np.asarray(hard + lean + shifts + noise > 0, float)


def find_smallest_p(contrasts: Iterator[np.ndarray]) -> np.ndarray:
    """At each look, the smallest p of any contrast: [L]."""
    by_contrast = [[_compute_p(differences[:n_seeds]) for n_seeds in LOOKS] for differences in contrasts]
    return np.asarray(np.min(by_contrast, axis=0))


def _compute_p(differences: np.ndarray) -> float:
    estimate = estimate_two_way(differences)
    return 1.0 if estimate is None else estimate.p


def simulate_looks(options: argparse.Namespace) -> Iterator[list[str]]:
    """Arms that do not differ, judged with ever more seeds: the shares of studies in which any look errs, as
    if each were the only one, and by the rule that allows for looks."""
    yield ["examples", "shift", "contrasts", "one look", "every look at 5%", "as judged"]
    for n_contrasts, (n_arms, n_sizes) in FAMILIES.items():
        for n_examples in options.examples:
            for shift in SHIFTS:
                draws = np.random.default_rng([n_contrasts, n_examples, round(100 * shift)])
                smallest = np.array(
                    [
                        find_smallest_p(draw_study(draws, n_arms, n_sizes, n_examples, shift))
                        for _ in range(options.repeats)
                    ]
                )
                shares = _count_false(smallest * n_contrasts)
                yield [
                    f"{n_examples:,}",
                    f"{shift:g}",
                    str(n_contrasts),
                    *(f"{100 * s:.1f}%" for s in shares),
                ]


def _count_false(adjusted: np.ndarray) -> Sequence[float]:
    """Of studies with these p at their looks [R, L]: the shares with a false verdict."""
    alphas = np.array([compute_look_alpha(look) for look in range(1, len(LOOKS) + 1)])
    is_false = adjusted < 1 - LEVEL
    return [
        float(is_false[:, 0].mean()),
        float(is_false.any(1).mean()),
        float((adjusted < alphas).any(1).mean()),
    ]
