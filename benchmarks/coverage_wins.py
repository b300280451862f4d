"""How often intervals of win rates hold the truth, over seeds and prompts and of human choices.

    python benchmarks/coverage_wins.py arms --repeats 1000
    python benchmarks/coverage_wins.py judged --repeats 4000

Printed is the share of 95% intervals that hold the truth, and in brackets their mean width in points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from scipy import stats

from coverage import print_table
from coverage_arms import Held, count_coverage
from headstart.stats.two_way import estimate_two_way
from headstart.stats.win_rates import estimate_judged_rate, estimate_win_rate

#: True win rates; shares of ties where neither arm leads.
RATES: Final = (0.5, 0.7, 0.9, 0.97)
TIES: Final = (0.0, 0.5)
#: Of a prompt's own lean beside the noise of one, and of a seed's own shift.
LEAN: Final = 1.0
SHIFTS: Final = {"small": 0.03, "middle": 0.3}


def simulate_arms(options: argparse.Namespace) -> Iterator[list[str]]:
    """Several seeds on the same prompts: the score form, and the plain interval cut at 0 and 100."""
    yield ["win rate", "ties", "prompts", "seeds", *(f"{f}, {s}" for s in SHIFTS for f in ("plain", "score"))]
    for rate in RATES:
        for ties in TIES:
            for n_prompts in (50, 300):
                for n_seeds in (3, 5):
                    cells = [
                        cell
                        for shift in SHIFTS.values()
                        for cell in _hold_arms(rate, ties, n_prompts, n_seeds, shift, options.repeats)
                    ]
                    yield [f"{rate:.0%}", f"{ties:.0%}", str(n_prompts), str(n_seeds), *cells]


def _hold_arms(
    rate: float, ties: float, n_prompts: int, n_seeds: int, shift: float, repeats: int
) -> tuple[str, str]:
    draws = np.random.default_rng([round(100 * rate), round(100 * ties), n_prompts, n_seeds])
    plain, score = list[Held](), list[Held]()
    for _ in range(repeats):
        outcomes = draw_outcomes(draws, rate, ties, n_prompts, n_seeds, shift)
        found = estimate_win_rate(outcomes, np.full_like(outcomes, 0.5))
        score.append((rate, found.low, found.high))
        estimate = estimate_two_way(outcomes)
        low, high = estimate.compute_interval() if estimate else (0.0, 0.0)
        plain.append((rate, max(low, 0.0), min(high, 1.0)))
    return count_coverage(plain), count_coverage(score)


def draw_outcomes(
    draws: np.random.Generator, rate: float, ties: float, n_prompts: int, n_seeds: int, shift: float
) -> np.ndarray:
    """1, 0.5 or 0 for each seed and prompt, [S, N], whose mean over all others is `rate`."""
    deviation = np.sqrt(1 + LEAN**2 + shift**2)
    edge = deviation * stats.norm.ppf(0.5 + ties / 2)
    lead = deviation * _find_lead(rate, ties)
    scores = lead + LEAN * draws.normal(size=n_prompts) + shift * draws.normal(size=(n_seeds, 1))
    scores = scores + draws.normal(size=(n_seeds, n_prompts))
    return np.where(np.abs(scores) <= edge, 0.5, (scores > 0).astype(float))


def _find_lead(rate: float, ties: float) -> float:
    """The mean, in deviations, of a normal number that is above the edge, and half within it, so often."""
    edge = stats.norm.ppf(0.5 + ties / 2)
    candidates = np.linspace(0, 8, 80_001)
    rates = (stats.norm.cdf(candidates - edge) + stats.norm.cdf(candidates + edge)) / 2
    return float(np.interp(rate, rates, candidates))


def simulate_judged(options: argparse.Namespace) -> Iterator[list[str]]:
    """One choice, or the mean of two judges', for each prompt."""
    yield ["win rate", "ties", "prompts", "one judge", "two judges", "wrong verdicts, one judge"]
    for rate in RATES:
        for ties in TIES:
            for n_prompts in (10, 30, 100):
                yield [
                    f"{rate:.0%}",
                    f"{ties:.0%}",
                    str(n_prompts),
                    *_hold_judged(rate, ties, n_prompts, options),
                ]


def _hold_judged(rate: float, ties: float, n_prompts: int, options: argparse.Namespace) -> list[str]:
    draws = np.random.default_rng([round(100 * rate), round(100 * ties), n_prompts])
    held: tuple[list[Held], list[Held]] = ([], [])
    for _ in range(options.repeats):
        choices = draw_outcomes(draws, rate, ties, n_prompts, 2, 0.0)
        for of_judges, preferred in zip(held, (choices[0], choices.mean(0)), strict=True):
            found = estimate_judged_rate(preferred)
            of_judges.append((rate, found.low, found.high))
    wrong = [
        (low is not None and low > 0.5 >= rate) or (high is not None and high < 0.5 <= rate)
        for rate, low, high in held[0]
    ]
    return [*(count_coverage(of_judges) for of_judges in held), f"{100 * np.mean(wrong):.1f}%"]


CASES: Final[dict[str, Callable[[argparse.Namespace], Iterator[list[str]]]]] = {
    "arms": simulate_arms,
    "judged": simulate_judged,
}


def main() -> None:
    """Print a table of one case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--repeats", type=int, default=1000)
    options = parser.parse_args()
    print_table(CASES[options.case](options))


if __name__ == "__main__":
    main()
