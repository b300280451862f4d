"""How often the intervals and verdicts of Headstart's statistics hold the truth, by simulation.

    python benchmarks/coverage.py contrasts --repeats 2000
    python benchmarks/coverage.py family --examples 300 2000 --seeds 2 3 5 10
    python benchmarks/coverage.py worth
    python benchmarks/coverage.py worth-forms --examples 2000 --seeds 5 --repeats 500
    python benchmarks/coverage.py power --examples 2000 --seeds 3 5 10 --repeats 500
    python benchmarks/coverage.py ranges --examples 2000 --seeds 3 5 10 --repeats 500
    python benchmarks/coverage.py until --examples 300 2000
    python benchmarks/coverage.py looks --examples 300 2000
    python benchmarks/coverage.py tuned --repeats 1000 --examples 300 2000
    python benchmarks/coverage.py texts --repeats 500 --examples 2000
    python benchmarks/coverage.py items --examples 300 2000
    python benchmarks/coverage.py tiers --examples 300 2000
    python benchmarks/coverage.py ranking --seeds 3 --repeats 300
    python benchmarks/coverage.py groups
    python benchmarks/coverage.py limits --examples 24 300 1000 --seeds 2 3 5 10 --repeats 1000

Of single arms, and of one run against another: `coverage_arms.py`.

Right and wrong answers of models are drawn from laws whose truth is known. Printed is the share of 95%
intervals that hold it, and their mean width in points; of the rule that adds seeds, and of studies that grow
by hand, how often they say that equal arms differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from coverage_family import simulate_family
from coverage_groups import simulate_groups
from coverage_items import simulate_items, simulate_tiers
from coverage_laws import LEAN, draw_right, expect_accuracy, expect_macro_f1, macro_f1_by_example
from coverage_limits import simulate_limits
from coverage_looks import simulate_looks
from coverage_power import simulate_power, simulate_ranges
from coverage_ranking import simulate_ranking
from coverage_texts import simulate_texts
from coverage_tuned import simulate_tuned
from coverage_until import simulate_until
from coverage_worth import simulate_worth, simulate_worth_forms
from headstart.stats.resample import compute_percentile_interval, draw_example_counts, resample_seeds
from headstart.stats.summary import compute_mean_interval
from headstart.stats.two_way import estimate_two_way

Ends = tuple[float | None, float | None]
Method = Callable[[Any, np.random.Generator], Ends]
#: In units of an answer's noise: what an arm is better by, how much arms differ in what they find hard.
LIFT: Final = 0.2
#: Deviation of a seed's own shift: models that differ little and much.
SHIFTS: Final = {"small": 0.03, "middle": 0.1, "large": 0.3}


def draw_answers(draws: np.random.Generator, n_seeds: int, n_examples: int, shift: float) -> list[np.ndarray]:
    """Right and wrong [S, N] of two arms that share examples; they differ by about 0.05."""
    hard = draws.normal(size=n_examples)
    return [
        draw_right(draws, hard + LEAN * draws.normal(size=n_examples) + lift, n_seeds, shift)
        for lift in (LIFT, 0.0)
    ]


def seeds_interval(differences: np.ndarray, _: np.random.Generator) -> Ends:
    """Student's paired t over seeds."""
    return compute_mean_interval(differences.mean(1))


def two_way_interval(differences: np.ndarray, _: np.random.Generator) -> Ends:
    """The interval over seeds and examples, which `run` and `compare` take."""
    estimate = estimate_two_way(differences)
    return (None, None) if estimate is None else estimate.compute_interval()


def family_interval(differences: np.ndarray, _: np.random.Generator) -> Ends:
    """The same where it is one of 15."""
    estimate = estimate_two_way(differences)
    return (None, None) if estimate is None else estimate.compute_interval(1 - 0.05 / 15)


def bootstrap_interval(differences: np.ndarray, draws: np.random.Generator) -> Ends:
    """Percentiles of the multi-bootstrap."""
    return compute_percentile_interval(multi_bootstrap(differences, draws, 500))


def multi_bootstrap(differences: np.ndarray, draws: np.random.Generator, n_resamples: int) -> np.ndarray:
    """Means of resamples of `differences` [S, N], seeds and examples drawn with replacement, each by itself.

    The multi-bootstrap of Sellam et al. 2022, "The MultiBERTs", section 3, for arms that share seeds.
    """
    n_examples = differences.shape[1]
    counts = draw_example_counts(n_examples, draws, n_resamples)
    by_seed = [chunk @ differences.T / n_examples for chunk in counts]
    return resample_seeds(np.concatenate(by_seed), draws)


CONTRASTS: Final[Mapping[str, Method]] = {
    "seeds alone, t": seeds_interval,
    "multi-bootstrap": bootstrap_interval,
    "seeds and examples": two_way_interval,
    "one of 15": family_interval,
}


def simulate_contrasts(options: argparse.Namespace) -> Iterator[list[str]]:
    """Differences in accuracy, and of the default interval also in macro-F1."""
    yield ["examples", "seeds", "shift", *CONTRASTS, "the same, macro-F1"]
    for n_examples in options.examples:
        for n_seeds in options.seeds:
            for name, shift in SHIFTS.items():
                draws = np.random.default_rng([n_examples, n_seeds])
                studies = [draw_answers(draws, n_seeds, n_examples, shift) for _ in range(options.repeats)]
                yield [str(n_examples), str(n_seeds), name, *_contrast_cells(studies, shift, draws)]


def _contrast_cells(
    studies: Sequence[Sequence[np.ndarray]], shift: float, draws: np.random.Generator
) -> Iterator[str]:
    truth = expect_accuracy(LIFT, shift) - 0.5
    for method in CONTRASTS.values():
        yield _coverage([(truth, *method(arm - control, draws)) for arm, control in studies])
    truth = expect_macro_f1(LIFT, shift) - expect_macro_f1(0.0, shift)
    parts = ((macro_f1_by_example(arm), macro_f1_by_example(control)) for arm, control in studies)
    yield _coverage([(truth, *two_way_interval(arm - control, draws)) for arm, control in parts])


def _coverage(intervals: Sequence[tuple[float, float | None, float | None]]) -> str:
    """How many of the intervals that there are hold their truth, and their mean width."""
    known = [(truth, low, high) for truth, low, high in intervals if low is not None and high is not None]
    coverage = 100 * float(np.mean([low <= truth <= high for truth, low, high in known]))
    width = 100 * float(np.mean([high - low for _, low, high in known]))
    return f"{coverage:.1f}% ({width:.1f})"


CASES: Final = {
    "contrasts": simulate_contrasts,
    "family": simulate_family,
    "worth": simulate_worth,
    "worth-forms": simulate_worth_forms,
    "power": simulate_power,
    "ranges": simulate_ranges,
    "until": simulate_until,
    "looks": simulate_looks,
    "tuned": simulate_tuned,
    "texts": simulate_texts,
    "items": simulate_items,
    "tiers": simulate_tiers,
    "ranking": simulate_ranking,
    "groups": simulate_groups,
    "limits": simulate_limits,
}


def main() -> None:
    """Print a table of one case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--examples", type=int, nargs="+", default=[300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    options = parser.parse_args()
    print_table(CASES[options.case](options))


def print_table(rows: Iterator[list[str]]) -> None:
    """Print rows in Markdown as they come, the heading first."""
    print_now = partial(print, flush=True)
    head = next(rows)
    print_now(f"| {' | '.join(head)} |\n| {' | '.join('---:' for _ in head)} |")
    for row in rows:
        print_now(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
