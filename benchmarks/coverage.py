"""How often the intervals and verdicts of Headstart's statistics hold the truth, by simulation.

    python benchmarks/coverage.py contrasts --repeats 2000
    python benchmarks/coverage.py arms
    python benchmarks/coverage.py worth
    python benchmarks/coverage.py until

Right and wrong answers of models are drawn from laws whose truth is known. Printed is the share of 95%
intervals that hold it, and their mean width in points; of the rule that adds seeds until intervals are
narrow, how often it says that equal arms differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from headstart.stats.crossed import crossed_interval
from headstart.stats.measures import Measure, class_measures, draw_all
from headstart.stats.resample import multi_bootstrap, percentile_interval, text_counts
from headstart.stats.sequence import fewest_seeds, sequence_interval
from headstart.stats.summary import mean_interval
from headstart.stats.worth import Curve, worths

Ends = tuple[float | None, float | None]
Method = Callable[[Any, np.random.Generator], Ends]
#: In units of an answer's noise: what an arm is better by, how much arms differ in what they find hard.
LIFT, LEAN = 0.2, 0.5
#: Deviation of a seed's own shift: models that differ little and much.
SHIFTS = {"small": 0.03, "middle": 0.1, "large": 0.3}


def answers(draws: np.random.Generator, seeds: int, texts: int, shift: float) -> list[np.ndarray]:
    """Right and wrong [S, N] of two arms that share texts; they differ by about 0.05."""
    hard = draws.normal(size=texts)
    return [_right(draws, hard + LEAN * draws.normal(size=texts), lift, seeds, shift) for lift in (LIFT, 0.0)]


def measures(right: np.ndarray) -> list[Mapping[str, Measure]]:
    """Of models that are right so [S, N], a quarter of the texts being of class 1."""
    true = (np.arange(right.shape[1]) % 4 == 0).astype(int)
    said = np.where(right > 0, true[None], 1 - true[None])
    return [class_measures(true, row, 2) for row in said]


def macro_f1_parts(right: np.ndarray) -> np.ndarray:
    """Their macro-F1 by text [S, N]."""
    return np.array([own["macro_f1"].by_text for own in measures(right)])


def _right(draws: np.random.Generator, hard: np.ndarray, lift: float, seeds: int, shift: float) -> np.ndarray:
    own = shift * draws.normal(size=(seeds, 1))
    return (hard[None, :] + lift + own + draws.normal(size=(seeds, len(hard))) > 0).astype(float)


def expected(lift: float, shift: float) -> float:
    """The accuracy of an arm: each answer is right with the chance of a normal sum being above zero."""
    return float(stats.norm.cdf(lift / np.sqrt(2 + LEAN**2 + shift**2)))


def seeds_alone(gaps: np.ndarray, _: np.random.Generator) -> Ends:
    """Student's paired t over seeds."""
    return mean_interval(gaps.mean(1))


def both(gaps: np.ndarray, _: np.random.Generator) -> Ends:
    """The crossed t interval, which `run` and `compare` take."""
    found = crossed_interval(gaps)
    return (None, None) if found is None else (found.low, found.high)


def bootstrap(gaps: np.ndarray, draws: np.random.Generator) -> Ends:
    """Percentiles of the multi-bootstrap."""
    return percentile_interval(multi_bootstrap(gaps, draws, 500))


CONTRASTS: Mapping[str, Method] = {
    "seeds alone, t": seeds_alone,
    "multi-bootstrap": bootstrap,
    "seeds and texts, t": both,
}


def contrasts(options: argparse.Namespace) -> Iterator[list[str]]:
    """Differences in accuracy, and of the default interval also in macro-F1."""
    yield ["texts", "seeds", "shift", *CONTRASTS, "the same, macro-F1"]
    for texts in options.texts:
        for seeds in options.seeds:
            for name, shift in SHIFTS.items():
                draws = np.random.default_rng([texts, seeds])
                made = [answers(draws, seeds, texts, shift) for _ in range(options.repeats)]
                yield [str(texts), str(seeds), name, *_contrast_cells(made, shift, draws)]


def _contrast_cells(
    made: Sequence[Sequence[np.ndarray]], shift: float, draws: np.random.Generator
) -> Iterator[str]:
    truth = expected(LIFT, shift) - 0.5
    for method in CONTRASTS.values():
        yield _cell([method(arm - control, draws) for arm, control in made], truth)
    truth = _mean_macro_f1(LIFT, shift) - _mean_macro_f1(0.0, shift)
    yield _cell([both(macro_f1_parts(arm) - macro_f1_parts(control), draws) for arm, control in made], truth)


def _cell(made: Sequence[Ends], truth: float) -> str:
    """How many of those that there are hold the truth, and their mean width."""
    return _shares([(truth, *ends) for ends in made])


def arms(options: argparse.Namespace) -> Iterator[list[str]]:
    """One arm's mean: Student's t over seeds for these texts, the bootstrap over texts for these models.

    The truth is another for each: with these texts, the mean over all seeds; of these models, over all texts.
    """
    yield ["texts", "seeds", "shift", "seeds, accuracy", "texts, accuracy", "texts, macro-F1"]
    for texts in options.texts:
        for seeds in options.seeds:
            for name, shift in SHIFTS.items():
                draws = np.random.default_rng([texts, seeds])
                # The same resamples in all repeats: they know no data.
                counts = np.concatenate(list(text_counts(texts, draws)))
                made = [_arm(draws, counts, seeds, shift) for _ in range(options.repeats)]
                yield [str(texts), str(seeds), name, *(_shares([one[i] for one in made]) for i in range(3))]


def _arm(
    draws: np.random.Generator, counts: np.ndarray, seeds: int, shift: float
) -> list[tuple[float, float | None, float | None]]:
    """Truth and ends of each of the three intervals."""
    hard, own = draws.normal(size=counts.shape[1:]), shift * draws.normal(size=(seeds,))
    right = (hard[None] + 0.8 + own[:, None] + draws.normal(size=(seeds, len(hard))) > 0).astype(float)
    these_texts = stats.norm.cdf((hard + 0.8) / np.sqrt(1 + shift**2)).mean()
    each = stats.norm.cdf((0.8 + own) / np.sqrt(2))
    drawn = draw_all([one[m] for one in measures(right) for m in ("accuracy", "macro_f1")], counts)
    return [
        (float(these_texts), *mean_interval(right.mean(1))),
        (float(each.mean()), *percentile_interval(np.mean(drawn[::2], axis=0))),
        (float(_macro_f1(each).mean()), *percentile_interval(np.mean(drawn[1::2], axis=0))),
    ]


def _macro_f1(right: np.ndarray) -> np.ndarray:
    """Of all texts, a quarter of them of class 1, where each is said rightly with the same chance."""
    hits = (0.75 * right, 0.25 * right)
    said = (0.75 * right + 0.25 * (1 - right), 0.25 * right + 0.75 * (1 - right))
    return np.asarray(sum(2 * h / (t + s) for h, t, s in zip(hits, (0.75, 0.25), said, strict=True)) / 2)


def _mean_macro_f1(lift: float, shift: float) -> float:
    """Of an arm over all seeds, by quadrature."""
    places, weights = np.polynomial.hermite_e.hermegauss(40)
    values = _macro_f1(stats.norm.cdf((lift + shift * places) / np.sqrt(2 + LEAN**2)))
    return float((weights * values).sum() / weights.sum())


def _shares(made: Sequence[tuple[float, float | None, float | None]]) -> str:
    known = [(truth, low, high) for truth, low, high in made if low is not None and high is not None]
    held = 100 * float(np.mean([low <= truth <= high for truth, low, high in known]))
    width = 100 * float(np.mean([high - low for _, low, high in known]))
    return f"{held:.1f}% ({width:.1f})"


def worth(options: argparse.Namespace) -> Iterator[list[str]]:
    """What an arm's labels are worth in its control's: the default interval, and the bootstrap over seeds.

    Curves rise by a twentieth with each doubling; the arm is two and a half doublings ahead.
    """
    labels = np.array([125, 250, 500, 1000, 2000])
    truth = 125 * 2**2.5
    yield ["texts", "seeds", "shift", "seeds and texts", "seeds", "bootstrap"]
    for texts in options.texts:
        for seeds in options.seeds:
            for name, shift in SHIFTS.items():
                draws = np.random.default_rng([texts, seeds])
                held = [
                    _worth_held(draws, labels, seeds, texts, shift, truth) for _ in range(options.repeats)
                ]
                yield [str(texts), str(seeds), name, *(f"{100 * v:.1f}%" for v in np.mean(held, axis=0))]


def _worth_held(
    draws: np.random.Generator, labels: np.ndarray, seeds: int, texts: int, shift: float, truth: float
) -> list[bool]:
    hard = draws.normal(size=texts)
    spread = np.sqrt(2 + LEAN**2 + shift**2)
    shares = 0.55 + 0.05 * np.arange(len(labels))
    control = _curve(draws, labels, spread * stats.norm.ppf(shares), hard, seeds, shift)
    arm = _curve(draws, labels[:1], spread * stats.norm.ppf([0.55 + 0.05 * 2.5]), hard, seeds, shift)
    known = worths(arm, control, draws, draws=2)[0]
    unknown = [Curve(one.at, one.by_seed) for one in (arm, control)]
    blind = worths(unknown[0], unknown[1], draws, draws=300)[0]
    ends = [(known.low, known.high), (blind.low, blind.high), (blind.bootstrap_low, blind.bootstrap_high)]
    return [low is not None and high is not None and low <= truth <= high for low, high in ends]


def _curve(
    draws: np.random.Generator, at: np.ndarray, lifts: np.ndarray, hard: np.ndarray, seeds: int, shift: float
) -> Curve:
    lean = LEAN * draws.normal(size=len(hard))
    by_text = np.array([_right(draws, hard + lean, lift, seeds, shift) for lift in lifts])
    return Curve(at, by_text.mean(2), by_text)


def _normal(draws: np.random.Generator, size: int) -> np.ndarray:
    return draws.normal(size=size)


def _skewed(draws: np.random.Generator, size: int) -> np.ndarray:
    """With a median of zero and a deviation of one."""
    return np.asarray(draws.exponential(size=size) - np.log(2))


def _few_texts(draws: np.random.Generator, size: int) -> np.ndarray:
    """Of accuracies on 100 texts: whole points, many of them equal."""
    return np.asarray(np.round(draws.normal(size=size)))


LAWS = {"normal": _normal, "skewed": _skewed, "whole points": _few_texts}


def until(options: argparse.Namespace) -> Iterator[list[str]]:
    """Arms that do not differ, deviation of the difference one point: how often they are said to.

    Seeds are added by so many at a time until the interval is narrower than `width` points, at most 30;
    beside it, the same rule with Student's t, which takes the number of seeds as given.
    """
    yield ["law", "width", "at a time", "false alarms", "with Student's t", "seeds", "decided"]
    for law, draw in LAWS.items():
        for width in (3.0, 2.0, 1.5):
            for step in (1, 4):
                draws = np.random.default_rng([round(10 * width), step])
                made = [draw(draws, 30) for _ in range(options.repeats)]
                ours = [_stopped(gaps, width, step, sequence_interval, fewest_seeds()) for gaps in made]
                theirs = [_stopped(gaps, width, step, _student, 3) for gaps in made]
                alarms = [f"{100 * np.mean([one[0] for one in own]):.1f}%" for own in (ours, theirs)]
                if law == "skewed":  # whose mean, which Student's t is about, is not zero
                    alarms[1] = "-"
                seeds = f"{np.mean([one[1] for one in ours]):.1f}"
                decided = f"{100 * np.mean([one[2] for one in ours]):.0f}%"
                yield [law, f"{width:g}", str(step), *alarms, seeds, decided]


def _student(gaps: np.ndarray) -> tuple[float, float] | None:
    low, high = mean_interval(gaps)
    return None if low is None or high is None else (low, high)


def _stopped(
    gaps: np.ndarray,
    width: float,
    step: int,
    method: Callable[[np.ndarray], tuple[float, float] | None],
    first: int,
) -> tuple[bool, int, bool]:
    """Whether zero is outside where the rule stops, with how many seeds, and whether it was narrow."""
    seeds = first
    while True:
        found = method(gaps[:seeds])
        is_narrow = found is not None and found[1] - found[0] < width
        if is_narrow or seeds >= len(gaps):
            return found is not None and not found[0] <= 0 <= found[1], seeds, is_narrow
        seeds = min(seeds + step, len(gaps))


CASES = {"contrasts": contrasts, "arms": arms, "worth": worth, "until": until}


def main() -> None:
    """Print a table of one case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--texts", type=int, nargs="+", default=[300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    arguments = parser.parse_args()
    rows = CASES[arguments.case](arguments)
    say = partial(print, flush=True)
    head = next(rows)
    say(f"| {' | '.join(head)} |\n| {' | '.join('---:' for _ in head)} |")
    for row in rows:
        say(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
