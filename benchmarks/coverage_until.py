"""What adding seeds until contrasts are decided comes to: false verdicts, and how many seeds it takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.stats.sequential import SequenceKind, compute_sequential_interval, find_min_seeds
from headstart.stats.summary import ALPHA, compute_mean_interval
from headstart.stats.two_way import estimate_two_way

Ends = tuple[float, float]
#: The intervals of all contrasts with so many seeds.
Look = Callable[[int], Sequence[Ends | None]]
SEQUENCES: Final[tuple[SequenceKind, ...]] = ("signs", "t")
#: In units of an answer's noise: how much arms differ in what they find hard.
LEAN: Final = 0.5
#: Most seeds where differences alone are drawn, and where answers are, as `headstart run` has it.
MOST_SEEDS: Final = 30
MOST_SEEDS_OF_ANSWERS: Final = 20


@dataclass(frozen=True)
class Models:
    """How models of an arm vary: deviation of a seed's shift, and of its answers, whose difficulty is 1."""

    name: str
    shift: float
    noise: float


MODELS: Final = (Models("stable", 0.01, 0.1), Models("noisy", 0.1, 1.0), Models("unstable", 0.3, 1.0))


def simulate_until(options: argparse.Namespace) -> Iterator[list[str]]:
    """False verdicts on arms that do not differ, beside those of an interval that does not allow for the rule
    (Student's t), or not for other test examples; then seeds until a true difference is seen."""
    yield [
        "differences",
        "contrasts",
        "sequence",
        "until",
        "at once",
        "false",
        "without it",
        "seeds",
        "decided",
    ]
    yield from _simulate_laws(options.repeats)
    for n_examples in options.examples:
        yield from _simulate_answers(options.repeats, n_examples)
    yield from _simulate_gap(options.repeats)


def _draw_normal(draws: np.random.Generator, size: int) -> np.ndarray:
    return draws.normal(size=size)


def _draw_skewed(draws: np.random.Generator, size: int) -> np.ndarray:
    """With a median of zero and a deviation of one."""
    return np.asarray(draws.exponential(size=size) - np.log(2))


def _draw_whole_points(draws: np.random.Generator, size: int) -> np.ndarray:
    """Of accuracies on 100 examples: whole points, many of them equal."""
    return np.asarray(np.round(draws.normal(size=size)))


LAWS: Final = {"normal": _draw_normal, "skewed": _draw_skewed, "whole points": _draw_whole_points}


def _simulate_laws(repeats: int) -> Iterator[list[str]]:
    """Differences in points whose median is zero, deviation 1, on test examples that are not known."""
    for law, draw in LAWS.items():
        for sequence in SEQUENCES if law == "normal" else SEQUENCES[:1]:
            for width in (3.0, 2.0, 1.5):
                for step in (1, 4):
                    draws = np.random.default_rng([round(10 * width), step])
                    ends = [
                        _stop_both(draw(draws, MOST_SEEDS), width, step, sequence) for _ in range(repeats)
                    ]
                    # The mean, which Student's t is about, is not zero where the law is skewed.
                    other = "-" if law == "skewed" else _share([theirs.is_false for _, theirs in ends])
                    yield [law, "1", *_describe([ours for ours, _ in ends], sequence, width, step, other)]


def _stop_both(
    differences: np.ndarray, width: float, step: int, sequence: SequenceKind
) -> tuple[Stopped, Stopped]:
    """By the sequence, and by Student's t, which takes the number of seeds as given."""

    def look(n_seeds: int) -> Sequence[Ends | None]:
        return [compute_sequential_interval(differences[:n_seeds], None, ALPHA, sequence)]

    def look_at_t(n_seeds: int) -> Sequence[Ends | None]:
        low, high = compute_mean_interval(differences[:n_seeds])
        return [None if low is None or high is None else (low, high)]

    fewest = find_min_seeds(covers_examples=False, sequence=sequence)
    return stop(look, width, fewest, step, MOST_SEEDS), stop(look_at_t, width, 3, step, MOST_SEEDS)


def _simulate_answers(repeats: int, n_examples: int) -> Iterator[list[str]]:
    """Right and wrong answers of equal arms, two points wide; beside it a sequence over seeds alone."""
    for models in MODELS:
        for n_contrasts in (1, 4):
            for sequence in SEQUENCES:
                draws = np.random.default_rng([n_examples, n_contrasts])
                ends = [
                    _stop_answers(draw_answers(draws, n_contrasts, n_examples, models), sequence)
                    for _ in range(repeats)
                ]
                other = _share([alone.is_false for _, alone in ends])
                name = f"{models.name}, {n_examples:,} examples"
                cells = _describe([ours for ours, _ in ends], sequence, 2.0, 1, other)
                yield [name, str(n_contrasts), *cells]


def draw_answers(
    draws: np.random.Generator, n_contrasts: int, n_examples: int, models: Models
) -> list[np.ndarray]:
    """Differences [S, N] of arms from one control, none of them better than another."""
    hard = draws.normal(size=n_examples)
    control, *arms = (_draw_right(draws, hard, models) for _ in range(n_contrasts + 1))
    return [arm - control for arm in arms]


def _draw_right(draws: np.random.Generator, hard: np.ndarray, models: Models) -> np.ndarray:
    n_seeds, n_examples = MOST_SEEDS_OF_ANSWERS, len(hard)
    places = hard + LEAN * draws.normal(size=n_examples) + models.shift * draws.normal(size=(n_seeds, 1))
    return (places + models.noise * draws.normal(size=(n_seeds, n_examples)) > 0).astype(float)


def _stop_answers(contrasts: Sequence[np.ndarray], sequence: SequenceKind) -> tuple[Stopped, Stopped]:
    """Over seeds and examples, and over seeds alone."""
    n_tests = len(contrasts)

    def look(n_seeds: int) -> Sequence[Ends | None]:
        return [_find_interval(table[:n_seeds], ALPHA / n_tests, sequence) for table in contrasts]

    def look_at_seeds(n_seeds: int) -> Sequence[Ends | None]:
        by_seed = [100 * table[:n_seeds].mean(1) for table in contrasts]
        return [compute_sequential_interval(row, None, ALPHA / n_tests, sequence) for row in by_seed]

    first = [find_min_seeds(n_tests, covers_examples=known, sequence=sequence) for known in (True, False)]
    return (
        stop(look, 2.0, first[0], 1, MOST_SEEDS_OF_ANSWERS),
        stop(look_at_seeds, 2.0, first[1], 1, MOST_SEEDS_OF_ANSWERS),
    )


def _find_interval(table: np.ndarray, alpha: float, sequence: SequenceKind) -> Ends | None:
    """In points."""
    estimate = estimate_two_way(100 * table)
    if estimate is None:
        return None
    return compute_sequential_interval(100 * table.mean(1), estimate, alpha, sequence)


def _simulate_gap(repeats: int) -> Iterator[list[str]]:
    """Differences of 2 points with a deviation of 1.5: how many seeds until zero is out."""
    for sequence in SEQUENCES:
        draws = np.random.default_rng(0)
        ends = [
            _stop_both(draws.normal(2.0, 1.5, size=MOST_SEEDS), 0.0, 1, sequence)[0] for _ in range(repeats)
        ]
        cells = _describe(ends, sequence, 0.0, 1, "-")
        yield ["normal, 2 ± 1.5 points", "1", *cells[:3], "-", *cells[4:]]


@dataclass(frozen=True)
class Stopped:
    """Whether an interval is without zero where the rule stops, with how many seeds, and whether each
    contrast is decided."""

    is_false: bool
    n_seeds: int
    is_decided: bool


def stop(look: Look, width: float, first: int, step: int, most: int) -> Stopped:
    """Add seeds until each interval is without zero, or narrower than `width`."""
    n_seeds = first
    while True:
        intervals = look(n_seeds)
        is_decided = all(ends is not None and _is_settled(ends, width) for ends in intervals)
        if is_decided or n_seeds >= most:
            is_false = any(ends is not None and not ends[0] <= 0 <= ends[1] for ends in intervals)
            return Stopped(is_false, n_seeds, is_decided)
        n_seeds = min(n_seeds + step, most)


def _is_settled(ends: Ends, width: float) -> bool:
    return not ends[0] <= 0 <= ends[1] or ends[1] - ends[0] < width


def _describe(
    ends: Sequence[Stopped], sequence: SequenceKind, width: float, step: int, other: str
) -> list[str]:
    """The cells of a row, after what is drawn."""
    seeds = f"{np.mean([end.n_seeds for end in ends]):.1f}"
    decided = f"{100 * np.mean([end.is_decided for end in ends]):.0f}%"
    return [sequence, f"{width:g}", str(step), _share([end.is_false for end in ends]), other, seeds, decided]


def _share(is_so: Sequence[bool]) -> str:
    return f"{100 * np.mean(is_so):.1f}%"
