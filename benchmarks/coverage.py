"""How often the intervals of `headstart compare` hold the truth, by simulation.

    python benchmarks/coverage.py --repeats 2000

Right and wrong answers of two arms are drawn from a model whose truth is known: a text has a difficulty,
part of it an arm's own, a seed shifts all of a model's answers, and each answer has noise of its own. Printed
is the share of 95% intervals that hold the true difference, and their mean width in points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy import stats

from headstart.stats.crossed import crossed_interval, multi_bootstrap, percentile_interval
from headstart.stats.summary import mean_interval

Interval = tuple[float, float] | None
#: In units of an answer's noise: what an arm is better by, how much arms differ in what they find hard.
LIFT, LEAN = 0.2, 0.5
#: Deviation of a seed's own shift: models that differ little and much.
SHIFTS = {"small": 0.03, "middle": 0.1, "large": 0.3}


def answers(draws: np.random.Generator, seeds: int, texts: int, shift: float) -> np.ndarray:
    """Gaps [S, N], right minus wrong, of two arms that share texts; their true mean is about 0.05."""
    hard = draws.normal(size=texts)
    made = [_right(draws, hard + LEAN * draws.normal(size=texts), lift, seeds, shift) for lift in (LIFT, 0.0)]
    return np.asarray(made[0] - made[1])


def _right(draws: np.random.Generator, hard: np.ndarray, lift: float, seeds: int, shift: float) -> np.ndarray:
    own = shift * draws.normal(size=(seeds, 1))
    return (hard[None, :] + lift + own + draws.normal(size=(seeds, len(hard))) > 0).astype(float)


def truth(shift: float) -> float:
    """The expected gap: each answer is right with the chance of a normal sum being above zero."""
    return float(stats.norm.cdf(LIFT / np.sqrt(2 + LEAN**2 + shift**2)) - 0.5)


def seeds_alone(gaps: np.ndarray, _: np.random.Generator) -> Interval:
    """Student's paired t over seeds."""
    low, high = mean_interval(gaps.mean(1))
    return None if low is None or high is None else (low, high)


def both(gaps: np.ndarray, _: np.random.Generator) -> Interval:
    """The crossed t interval, which `compare` takes."""
    found = crossed_interval(gaps)
    return None if found is None else (found.low, found.high)


def bootstrap(gaps: np.ndarray, draws: np.random.Generator) -> Interval:
    """Percentiles of the multi-bootstrap."""
    return percentile_interval(multi_bootstrap(gaps, draws, 500))


METHODS: dict[str, Callable[[np.ndarray, np.random.Generator], Interval]] = {
    "seeds alone, t": seeds_alone,
    "multi-bootstrap": bootstrap,
    "seeds and texts, t": both,
}


def main() -> None:
    """Print coverage and width for each method, number of seeds and texts, and size of shifts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--texts", type=int, nargs="+", default=[300, 2000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    arguments = parser.parse_args()
    print(f"| texts | seeds | shift | {' | '.join(METHODS)} |")
    print("| ---: | ---: | --- | " + " | ".join(["---:"] * len(METHODS)) + " |")
    for texts in arguments.texts:
        for seeds in arguments.seeds:
            for name, shift in SHIFTS.items():
                cells = _cells(texts, seeds, shift, arguments.repeats)
                print(f"| {texts} | {seeds} | {name} | {' | '.join(cells)} |", flush=True)


def _cells(texts: int, seeds: int, shift: float, repeats: int) -> list[str]:
    draws, expected = np.random.default_rng([texts, seeds]), truth(shift)
    tables = [answers(draws, seeds, texts, shift) for _ in range(repeats)]
    cells = []
    for method in METHODS.values():
        made = [found for gaps in tables if (found := method(gaps, draws)) is not None]
        held = 100 * float(np.mean([low <= expected <= high for low, high in made]))
        width = 100 * float(np.mean([high - low for low, high in made]))
        cells.append(f"{held:.1f}% ({width:.1f})")
    return cells


if __name__ == "__main__":
    main()
