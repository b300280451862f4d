"""How often intervals of label worth hold it: curves of several forms, sizes near and far apart."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from headstart.stats.worth import LearningCurve, Worth, estimate_worth

#: In units of an answer's noise: how much arms differ in what they find hard.
LEAN: Final = 0.5
#: Deviation of a seed's own shift: models that differ little and much.
SHIFTS: Final = {"small": 0.03, "middle": 0.1, "large": 0.3}


@dataclass(frozen=True)
class Case:
    """A control's true accuracies with so many labels, the arm's, and what its labels are truly worth."""

    labels: tuple[int, ...]
    control: tuple[float, ...]
    arm: float
    truth: float


def _make_saturating(labels: tuple[int, ...]) -> Case:
    """A control whose errors above a floor fall by 38% with each doubling; the arm is worth 400 labels."""

    def read(n: float) -> float:
        return float(0.85 - 0.25 * (125 / n) ** 0.7)

    return Case(labels, tuple(read(n) for n in labels), read(400), 400)


#: Five points with each doubling, the arm two and a half doublings ahead.
EVEN: Final = Case(
    (125, 250, 500, 1000, 2000), (0.55, 0.60, 0.65, 0.70, 0.75), 0.55 + 0.05 * 2.5, 125 * 2**2.5
)
#: A control that reaches the arm's score, falls and does not reach it again.
FALLING: Final = Case(
    (125, 250, 500, 1000, 2000), (0.60, 0.75, 0.65, 0.66, 0.67), 0.701, 125 * 2 ** (0.101 / 0.15)
)
FORMS: Final[Mapping[str, Case]] = {
    "even": EVEN,
    "saturating, a factor of 2 apart": _make_saturating((125, 250, 500, 1000, 2000)),
    "saturating, a factor of 4 apart": _make_saturating((125, 500, 2000)),
    "saturating, a factor of 16 apart": _make_saturating((125, 2000)),
    "falling": FALLING,
}


def simulate_worth(options: argparse.Namespace) -> Iterator[list[str]]:
    """The default interval, the one over seeds alone, and the bootstrap over seeds."""
    yield ["examples", "seeds", "shift", "seeds and examples", "seeds", "bootstrap"]
    for n_examples in options.examples:
        for n_seeds in options.seeds:
            for name, shift in SHIFTS.items():
                draws = np.random.default_rng([n_examples, n_seeds])
                covered = [
                    _hold_truth(draws, EVEN, n_seeds, n_examples, shift) for _ in range(options.repeats)
                ]
                cells = (f"{100 * share:.1f}%" for share in np.mean(covered, axis=0))
                yield [str(n_examples), str(n_seeds), name, *cells]


def _hold_truth(
    draws: np.random.Generator, case: Case, n_seeds: int, n_examples: int, shift: float
) -> list[bool]:
    arm, control = _draw_curves(draws, case, n_seeds, n_examples, shift)
    known = estimate_worth(arm, control, draws, n_resamples=2)[0]
    unknown = [LearningCurve(curve.amounts, curve.by_seed) for curve in (arm, control)]
    blind = estimate_worth(unknown[0], unknown[1], draws, n_resamples=300)[0]
    ends = [(known.low, known.high), (blind.low, blind.high), (blind.bootstrap_low, blind.bootstrap_high)]
    return [low is not None and high is not None and low <= case.truth <= high for low, high in ends]


def simulate_worth_forms(options: argparse.Namespace) -> Iterator[list[str]]:
    """Curves that rise unevenly or fall, sizes near and far apart: the default interval and the estimate."""
    yield ["curve", "examples", "seeds", "shift", "held", "no upper end", "estimate, median", "truth"]
    for name, case in FORMS.items():
        for n_examples in options.examples:
            for n_seeds in options.seeds:
                for size, shift in SHIFTS.items():
                    draws = np.random.default_rng([n_examples, n_seeds])
                    worths = [
                        _estimate(draws, case, n_seeds, n_examples, shift) for _ in range(options.repeats)
                    ]
                    yield [name, str(n_examples), str(n_seeds), size, *_describe(worths, case)]


def _estimate(draws: np.random.Generator, case: Case, n_seeds: int, n_examples: int, shift: float) -> Worth:
    arm, control = _draw_curves(draws, case, n_seeds, n_examples, shift)
    return estimate_worth(arm, control, draws, n_resamples=2)[0]


def _describe(worths: list[Worth], case: Case) -> Iterator[str]:
    ends = [(w.low, w.high) for w in worths if w.low is not None and w.high is not None]
    yield f"{100 * np.mean([low <= case.truth <= high for low, high in ends]):.1f}%"
    yield f"{100 * np.mean([high == np.inf for _, high in ends]):.0f}%"
    middle = np.sort([w.worth for w in worths])[len(worths) // 2]
    yield f"{middle:,.0f}" if np.isfinite(middle) else f"over {case.labels[-1]:,}"
    yield f"{case.truth:,.0f}"


def _draw_curves(
    draws: np.random.Generator, case: Case, n_seeds: int, n_examples: int, shift: float
) -> tuple[LearningCurve, LearningCurve]:
    """Of the arm with the fewest labels, and of the control."""
    hard, labels = draws.normal(size=n_examples), np.array(case.labels)
    control = _draw_curve(draws, labels, case.control, hard, n_seeds, shift)
    return _draw_curve(draws, labels[:1], (case.arm,), hard, n_seeds, shift), control


def _draw_curve(
    draws: np.random.Generator,
    amounts: np.ndarray,
    accuracies: tuple[float, ...],
    hard: np.ndarray,
    n_seeds: int,
    shift: float,
) -> LearningCurve:
    """An answer is right where hardness + lean + the seed's shift + noise is above zero."""
    lean, deviation = LEAN * draws.normal(size=len(hard)), np.sqrt(2 + LEAN**2 + shift**2)
    by_example = []
    for accuracy in accuracies:
        shifts = shift * draws.normal(size=(n_seeds, 1)) + deviation * stats.norm.ppf(accuracy)
        by_example.append(hard + lean + shifts + draws.normal(size=(n_seeds, len(hard))) > 0)
    right = np.array(by_example).astype(float)
    return LearningCurve(amounts, right.mean(2), right)
