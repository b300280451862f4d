"""How often intervals of a single arm, and of one run against another, hold the truth, by simulation.

    python benchmarks/coverage_arms.py examples --repeats 2000
    python benchmarks/coverage_arms.py groups
    python benchmarks/coverage_arms.py seeds --repeats 20000
    python benchmarks/coverage_arms.py one-run --repeats 4000
    python benchmarks/coverage_arms.py errors --repeats 1000

Printed is the share of 95% intervals that hold the truth, and in brackets their mean width in points, or of
ratios their median width.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final

import numpy as np
from scipy import special, stats

from coverage import print_table
from coverage_laws import LEAN, macro_f1_by_example, macro_f1_of_accuracy, measure_answers
from headstart.stats.example_intervals import estimate_examples_interval
from headstart.stats.measures import resample_all
from headstart.stats.relative_errors import Errors, estimate_error_ratio
from headstart.stats.resample import compute_percentile_interval, draw_example_counts
from headstart.stats.shares import UNBOUNDED, Bounds
from headstart.stats.summary import compute_mean_interval, predict_one_more, t_quantile
from headstart.stats.superiority import estimate_superiority, find_newcombe_ends

#: Truth and both ends; None where there is no interval.
Held = tuple[float, float | None, float | None]
SHARE: Final = (0.0, 1.0)
ACCURACIES: Final = (0.8, 0.95, 0.99)
#: Deviation of an example's difficulty, which models share, beside an answer's noise of one.
ALIKE: Final = {"not at all": 0.0, "middle": 1.0, "much": 3.0}
#: Of a seed's own shift.
SHIFT: Final = 0.1


def count_coverage(held: Sequence[Held]) -> str:
    """How many of the intervals that there are hold their truth, and their mean width."""
    coverage, width = measure_coverage(held)
    return f"{100 * coverage:.1f}% ({100 * width:.1f})"


def measure_coverage(held: Sequence[Held]) -> tuple[float, float]:
    """The same as numbers."""
    known = [(truth, low, high) for truth, low, high in held if low is not None and high is not None]
    coverage = float(np.mean([low <= truth <= high for truth, low, high in known]))
    return coverage, float(np.mean([high - low for _, low, high in known]))


def simulate_examples(options: argparse.Namespace) -> Iterator[list[str]]:
    """The mean of these models over all examples, by how alike they err; beside it the bootstrap."""
    columns = [f"Wilson, {name} alike" for name in ALIKE]
    yield ["accuracy", "examples", "seeds", "percentiles", *columns, "macro-F1, percentiles", "macro-F1"]
    for accuracy in ACCURACIES:
        for n_examples in (50, 300):
            for n_seeds in (3, 5, 10):
                draws = np.random.default_rng([round(100 * accuracy), n_examples, n_seeds])
                # The same resamples in all repeats: they know no data.
                counts = np.concatenate(list(draw_example_counts(n_examples, draws)))
                cells = list(_hold_examples(draws, counts, accuracy, n_seeds, options.repeats))
                yield [f"{100 * accuracy:.0f}%", str(n_examples), str(n_seeds), *cells]


def _hold_examples(
    draws: np.random.Generator, counts: np.ndarray, accuracy: float, n_seeds: int, repeats: int
) -> Iterator[str]:
    by_name = {
        name: [draw_arm(draws, accuracy, alike, n_seeds, counts.shape[1]) for _ in range(repeats)]
        for name, alike in ALIKE.items()
    }
    n_examples = counts.shape[1]
    yield count_coverage(
        [
            (truth.mean(), *compute_percentile_interval(counts @ right.mean(0) / n_examples))
            for right, truth in by_name["middle"]
        ]
    )
    for arms in by_name.values():
        yield count_coverage([(truth.mean(), *_find_ends(right)) for right, truth in arms])
    arms = by_name["middle"]
    yield count_coverage([_hold_resampled_f1(right, truth, counts) for right, truth in arms[: repeats // 4]])
    yield count_coverage(
        [
            (macro_f1_of_accuracy(truth).mean(), *_find_ends(macro_f1_by_example(right)))
            for right, truth in arms
        ]
    )


def _hold_resampled_f1(right: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> Held:
    resampled = resample_all([model["macro_f1"] for model in measure_answers(right)], counts)
    return float(macro_f1_of_accuracy(truth).mean()), *compute_percentile_interval(np.mean(resampled, axis=0))


def _find_ends(by_example: np.ndarray, groups: np.ndarray | None = None) -> tuple[float | None, float | None]:
    mean = float(by_example.mean())
    return estimate_examples_interval(mean, by_example, None, SHARE, groups=groups) or (None, None)


def draw_arm(
    draws: np.random.Generator, accuracy: float, alike: float, n_seeds: int, n_examples: int, group: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong [S, N], and each model's accuracy on all examples [S].

    Examples share their difficulty with the others of their `group` of so many.
    """
    lift = stats.norm.ppf(accuracy) * math.sqrt(1 + alike**2 + SHIFT**2)
    hard = np.repeat(alike * draws.normal(size=n_examples // group), group)
    shifts = SHIFT * draws.normal(size=n_seeds)
    right = hard + lift + shifts[:, None] + draws.normal(size=(n_seeds, n_examples)) > 0
    return right.astype(float), special.ndtr((lift + shifts) / math.sqrt(1 + alike**2))


def simulate_groups(options: argparse.Namespace) -> Iterator[list[str]]:
    """The same where examples come in groups of ten that share their difficulty."""
    yield ["accuracy", "groups", "seeds", "examples as such", "by groups"]
    for accuracy in ACCURACIES:
        for n_groups in (30, 150):
            for n_seeds in (3, 10):
                draws = np.random.default_rng([round(100 * accuracy), n_groups, n_seeds])
                groups = np.repeat(np.arange(n_groups), 10)
                arms = [
                    draw_arm(draws, accuracy, 1.0, n_seeds, 10 * n_groups, 10) for _ in range(options.repeats)
                ]
                cells = [
                    count_coverage([(truth.mean(), *_find_ends(right, by)) for right, truth in arms])
                    for by in (None, groups)
                ]
                yield [f"{100 * accuracy:.0f}%", str(n_groups), str(n_seeds), *cells]


def _draw_normal(mean: float, deviation: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda draws, n: mean + deviation * draws.normal(size=n)


def _draw_logits(mean: float, deviation: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda draws, n: np.asarray(special.expit(mean + deviation * draws.normal(size=n)))


def _draw_collapsing(draws: np.random.Generator, n: int) -> np.ndarray:
    return np.where(draws.random(n) < 0.15, 0.5, 0.85) + 0.01 * draws.normal(size=n)


#: Laws of the score of a run.
LAWS: Final[Mapping[str, Callable[[np.random.Generator, int], np.ndarray]]] = {
    "normal, 80 ± 2": _draw_normal(0.8, 0.02),
    "logit normal, about 80 ± 8": _draw_logits(1.386, 0.5),
    "logit normal, about 97 ± 1.6": _draw_logits(3.5, 0.5),
    "logit normal, about 50 ± 27": _draw_logits(0.0, 1.5),
    "85, in 15% of runs 50": _draw_collapsing,
}


def simulate_seeds(options: argparse.Namespace) -> Iterator[list[str]]:
    """The mean over seeds, and one more seed: Student's plain intervals, and those that keep to 0 to 100%."""
    yield ["score of a run", "seeds", "mean, plain t", "mean", "one more, plain t", "one more"]
    for name, draw in LAWS.items():
        mean = float(draw(np.random.default_rng(0), 1_000_000).mean())
        for n_seeds in (2, 3, 5, 10):
            draws = np.random.default_rng(n_seeds)
            studies = [draw(draws, n_seeds + 1) for _ in range(options.repeats)]
            cells = [
                *(_hold_mean(studies, mean, bounds) for bounds in (UNBOUNDED, SHARE)),
                *(_hold_one_more(studies, bounds) for bounds in (UNBOUNDED, SHARE)),
            ]
            yield [name, str(n_seeds), *cells]


def _hold_mean(studies: Sequence[np.ndarray], mean: float, bounds: Bounds) -> str:
    return count_coverage([(mean, *compute_mean_interval(scores[1:], bounds=bounds)) for scores in studies])


def _hold_one_more(studies: Sequence[np.ndarray], bounds: Bounds) -> str:
    """Each study's first run is the one more."""
    return count_coverage(
        [(scores[0], *(predict_one_more(scores[1:], bounds=bounds) or (None, None))) for scores in studies]
    )


#: Laws of the scores of an arm and its control whose runs differ by this many deviations: how much smaller
#: the arm's deviation is, what a seed's runs share, and how many of the arm's runs collapse.
PAIRS: Final = {
    "normal": (1.0, 0.0, 0.0),
    "normal, seeds shared by half": (1.0, 0.5, 0.0),
    "normal, the arm's spread a fifth": (0.2, 0.0, 0.0),
    "15% of the arm's runs collapse": (1.0, 0.0, 0.15),
}

#: By how many deviations the arm leads.
LEADS: Final = (0.0, 0.7, 1.5, 2.5, 4.0)


def simulate_one_run(options: argparse.Namespace) -> Iterator[list[str]]:
    """The chance that one run beats one of the control: Newcombe's method 5, and with Student's quantile.

    The lowest and the highest coverage where the arm leads by 0 to 4 deviations, and the mean width.
    """
    yield ["scores", "seeds", "Newcombe's method 5", "with t"]
    for name, law in PAIRS.items():
        for n_seeds in (3, 5, 10):
            by_lead = [_hold_lead(law, lead, n_seeds, options.repeats) for lead in LEADS]
            cells = (_summarise_leads([held[i] for held in by_lead]) for i in range(2))
            yield [name, str(n_seeds), *cells]


def _hold_lead(
    law: tuple[float, float, float], lead: float, n_seeds: int, repeats: int
) -> list[tuple[float, float]]:
    """Coverage and mean width by either quantile."""
    draws = np.random.default_rng([n_seeds, round(10 * lead)])
    pairs = [_draw_pair(draws, law, lead, n_seeds) for _ in range(repeats)]
    chance = _find_chance(law, lead)
    return [_hold_chance(pairs, chance, reach) for reach in (1.959964, None)]


def _summarise_leads(held: Sequence[tuple[float, float]]) -> str:
    coverages, widths = zip(*held, strict=True)
    lowest, highest = 100 * min(coverages), 100 * max(coverages)
    return f"{lowest:.1f} to {highest:.1f}% ({100 * np.mean(widths):.0f})"


def _draw_pair(
    draws: np.random.Generator, law: tuple[float, float, float], lead: float, n_seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    spread, shared, collapsing = law
    of_seed = math.sqrt(shared) * draws.normal(size=n_seeds)
    own = math.sqrt(1 - shared) * draws.normal(size=(2, n_seeds)) + of_seed
    is_collapsed = draws.random(n_seeds) < collapsing
    return np.where(is_collapsed, -9.0, lead + spread * own[0]), own[1]


def _find_chance(law: tuple[float, float, float], lead: float) -> float:
    """Of runs of two seeds, which share nothing."""
    spread, _, collapsing = law
    return float((1 - collapsing) * special.ndtr(lead / math.sqrt(1 + spread**2)))


@cache
def _find_newcombe(probability: float, n_seeds: int, reach: float) -> tuple[float, float]:
    return find_newcombe_ends(probability, n_seeds, n_seeds, reach)


def _hold_chance(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], chance: float, reach: float | None
) -> tuple[float, float]:
    held: list[Held] = []
    for arm, control in pairs:
        probability = float((1 + np.sign(arm[:, None] - control).mean()) / 2)
        n_seeds = len(arm)
        held.append((chance, *_find_newcombe(probability, n_seeds, reach or t_quantile(2 * n_seeds - 2))))
    ours = estimate_superiority(*pairs[0])  # what is counted is what `compare` shows
    assert reach or (ours and (ours.low, ours.high) == held[0][1:])
    return measure_coverage(held)


def simulate_errors(options: argparse.Namespace) -> Iterator[list[str]]:
    """The arm's errors for each of the control's, over seeds and examples, by how much seeds shift."""
    yield ["accuracies", "examples", "seeds", "small shifts", "no end", "large shifts", "no end"]
    for accuracies in ((0.82, 0.82), (0.9, 0.86), (0.95, 0.9), (0.99, 0.97)):
        for n_examples in (50, 300):
            for n_seeds in (3, 5, 10):
                cells = [
                    cell
                    for shift in (0.03, 0.3)
                    for cell in _hold_ratios(accuracies, n_examples, n_seeds, shift, options.repeats)
                ]
                name = " and ".join(f"{100 * accuracy:.0f}%" for accuracy in accuracies)
                yield [name, str(n_examples), str(n_seeds), *cells]


def _hold_ratios(
    accuracies: tuple[float, float], n_examples: int, n_seeds: int, shift: float, repeats: int
) -> tuple[str, str]:
    """Coverage with the median width, and how many intervals have no end above."""
    draws = np.random.default_rng([round(1000 * shift), n_examples, n_seeds])
    truth = (1 - accuracies[0]) / (1 - accuracies[1])
    found = []
    for _ in range(repeats):
        arms = _draw_errors(draws, accuracies, n_examples, n_seeds, shift)
        mine, theirs = (Errors(wrong.mean(1), wrong) for wrong in arms)
        found.append(estimate_error_ratio(mine, theirs, 0.95))
    ends = [(ratio.low, ratio.high or math.inf) for ratio in found if ratio is not None]
    coverage = 100 * np.mean([low <= truth <= high for low, high in ends])
    width = np.median([high - low for low, high in ends])
    return f"{coverage:.1f}% ({width:.2f})", f"{100 * np.mean([math.isinf(high) for _, high in ends]):.0f}%"


def _draw_errors(
    draws: np.random.Generator, accuracies: tuple[float, float], n_examples: int, n_seeds: int, shift: float
) -> list[np.ndarray]:
    hard, deviation = draws.normal(size=n_examples), math.sqrt(2 + LEAN**2 + shift**2)
    wrong = []
    for accuracy in accuracies:
        ease = hard + LEAN * draws.normal(size=n_examples) + deviation * stats.norm.ppf(accuracy)
        noise = shift * draws.normal(size=(n_seeds, 1)) + draws.normal(size=(n_seeds, n_examples))
        wrong.append((ease + noise <= 0).astype(float))
    return wrong


CASES: Final = {
    "examples": simulate_examples,
    "groups": simulate_groups,
    "seeds": simulate_seeds,
    "one-run": simulate_one_run,
    "errors": simulate_errors,
}


def main() -> None:
    """Print a table of one case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--repeats", type=int, default=2000)
    options = parser.parse_args()
    print_table(CASES[options.case](options))


if __name__ == "__main__":
    main()
