"""How often intervals hold where test examples are hard together in groups: a case of `coverage.py`.

Two arms are right or wrong on N examples in G groups. What an arm finds hard beyond the other is shared by a
group's examples wholly, or not at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from coverage_laws import LEAN, draw_right, expect_accuracy, expect_macro_f1, macro_f1_by_example
from headstart.stats.paired_tests import mcnemar_p
from headstart.stats.two_way import TwoWayEstimate, estimate_two_way

#: In units of an answer's noise: what an arm is better by, how much arms differ in what they find hard, and
#: the deviation of a seed's own shift.
_LIFT, _SHIFT = 0.2, 0.1
_N_EXAMPLES: Final = 1500
#: Repeats whose intervals are searched for, to tell their mean width: coverage is read off p values.
_N_WIDTHS: Final = 100
#: How much of the variance of what an arm finds hard is the group's.
_SHARES: Final = {"all": 1.0, "none": 0.0}


def _draw_unequal(draws: np.random.Generator) -> np.ndarray:
    """Log-normal sizes from 1 to 100, of about 1,500 examples in all."""
    sizes = np.clip(np.round(draws.lognormal(2.0, 1.1, size=1000)), 1, 100).astype(int)
    return sizes[: int(np.searchsorted(np.cumsum(sizes), _N_EXAMPLES)) + 1]


#: Sizes of groups [G].
LAYOUTS: Final[Mapping[str, Callable[[np.random.Generator], np.ndarray]]] = {
    "50 of 30": lambda _: np.full(50, 30),
    "1 to 100, log-normal": _draw_unequal,
    "20 of 75": lambda _: np.full(20, 75),
    "8 of 188": lambda _: np.full(8, 188),
}


@dataclass(frozen=True)
class _Answers:
    """Right and wrong [S, N] of an arm and its control, and the groups [N] of the examples."""

    arm: np.ndarray
    control: np.ndarray
    groups: np.ndarray


def simulate_groups(options: argparse.Namespace) -> Iterator[list[str]]:
    """Differences in accuracy with and without groups, in macro-F1 with; McNemar's test of equal models.

    In brackets the mean width, of the first 100 repeats.
    """
    yield [
        "groups",
        "seeds",
        "shared",
        "by example",
        "by group",
        "the same, macro-F1",
        "McNemar false, by example",
        "by group",
    ]
    for layout, draw_sizes in LAYOUTS.items():
        for n_seeds in options.seeds:
            for shared, share in _SHARES.items():
                draws = np.random.default_rng([list(LAYOUTS).index(layout), n_seeds])
                cells = _simulate(draws, options.repeats, draw_sizes, n_seeds, share)
                yield [layout, str(n_seeds), shared, *cells]


def _simulate(
    draws: np.random.Generator,
    repeats: int,
    draw_sizes: Callable[[np.random.Generator], np.ndarray],
    n_seeds: int,
    share: float,
) -> Iterator[str]:
    truths = (
        expect_accuracy(_LIFT, _SHIFT) - 0.5,
        expect_macro_f1(_LIFT, _SHIFT) - expect_macro_f1(0.0, _SHIFT),
    )
    covered: list[list[bool]] = []
    widths: list[list[float]] = []
    alarms: list[tuple[bool, bool]] = []
    for i in range(repeats):
        answers = _draw_answers(draws, draw_sizes(draws), n_seeds, share, _LIFT, _SHIFT)
        differences = answers.arm - answers.control
        macro_f1 = macro_f1_by_example(answers.arm) - macro_f1_by_example(answers.control)
        estimates = (
            (truths[0], estimate_two_way(differences)),
            (truths[0], estimate_two_way(differences, answers.groups)),
            (truths[1], estimate_two_way(macro_f1, answers.groups)),
        )
        covered.append([_holds(estimate, truth) for truth, estimate in estimates])
        if i < _N_WIDTHS:
            widths.append([_measure_width(estimate) for _, estimate in estimates])
        equal = _draw_answers(draws, draw_sizes(draws), n_seeds=1, share=share, lift=0.0, shift=0.0)
        alarms.append(_test_equal_models(equal))
    for share_held, width in zip(np.mean(covered, 0), np.mean(widths, 0), strict=True):
        yield f"{100 * share_held:.1f}% ({100 * width:.1f})"
    yield from (f"{100 * column:.1f}%" for column in np.mean(alarms, 0))


def _draw_answers(
    draws: np.random.Generator, sizes: np.ndarray, n_seeds: int, share: float, lift: float, shift: float
) -> _Answers:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    hard = draws.normal(size=len(groups))
    arm, control = (
        draw_right(draws, hard + _draw_lean(draws, groups, share) + of_arm, n_seeds, shift)
        for of_arm in (lift, 0.0)
    )
    return _Answers(arm, control, groups)


def _draw_lean(draws: np.random.Generator, groups: np.ndarray, share: float) -> np.ndarray:
    """What an arm finds hard beyond the other, [N]: `share` of its variance is the group's."""
    of_group, of_example = draws.normal(size=int(groups[-1]) + 1), draws.normal(size=len(groups))
    return np.asarray(LEAN * (np.sqrt(share) * of_group[groups] + np.sqrt(1 - share) * of_example))


def _holds(estimate: TwoWayEstimate | None, truth: float) -> bool:
    """Whether the 95% interval holds the truth."""
    return estimate is not None and estimate.compute_p(truth) > 0.05


def _measure_width(estimate: TwoWayEstimate | None) -> float:
    if estimate is None:
        return float("nan")
    low, high = estimate.compute_interval()
    return high - low


def _test_equal_models(answers: _Answers) -> tuple[bool, bool]:
    """Whether McNemar's test at 5% tells two models apart that are equally good, by example and by group."""
    arm, control = answers.arm[0], answers.control[0]
    return mcnemar_p(arm, control) < 0.05, mcnemar_p(arm, control, answers.groups) < 0.05
