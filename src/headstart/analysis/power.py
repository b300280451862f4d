"""Power of contrasts with given numbers of seeds and examples, and which ranks of a leaderboard are noise."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from headstart.records import SCHEMA_VERSION, StudyWarning
from headstart.shown import Shown
from headstart.stats.power import (
    POWER,
    Pair,
    compute_power,
    detectable_difference,
    find_cheapest_pair,
    find_required_examples,
    find_required_seeds,
)
from headstart.stats.power_ranges import RANGE, PowerRanges
from headstart.stats.summary import ALPHA
from headstart.stats.variances import LimitingFactor, MeanSquares, VarianceComponents

#: Numbers of seeds that a table shows, and of test examples beside a study's own, as shares of these.
SEEDS: Final = (2, 3, 5, 10, 20)
EXAMPLES: Final = (0.5, 1, 2, 5)
#: What a seed costs, in labelled test examples, where nothing is said.
SEED_COST: Final = 100.0
#: Of the draws of what variances may be.
_SEED: Final = 0


@dataclass(frozen=True)
class ContrastPower:
    """What a contrast of so many seeds and test examples can show, by the variances behind it.

    `difference` is the one that is to be shown, if any: as the metric is, 0.01 for a point. The contrast is
    one of `n_tests` that share a chance of `alpha` to be falsely decided. `seed_cost` is what a seed costs,
    in labelled test examples. `squares` are the mean squares that variances were measured by; None of
    assumptions.
    """

    contrast: str
    variances: VarianceComponents
    n_seeds: int
    test_examples: int
    difference: float | None
    n_tests: int = 1
    alpha: float = ALPHA
    seed_cost: float = SEED_COST
    squares: MeanSquares | None = None

    @property
    def level(self) -> float:
        """The chance to be falsely decided that this contrast alone has."""
        return self.alpha / self.n_tests

    @property
    def std_error(self) -> float:
        """Of the mean difference."""
        return self.variances.std_error(self.n_seeds, self.test_examples)

    @property
    def limiting_factor(self) -> LimitingFactor:
        """Which of seeds and examples would show smaller differences, if there were twice as many."""
        by_seeds, by_examples = self.detectable_doubled
        return "seeds" if by_seeds < by_examples else "examples"

    @cached_property
    def detectable_doubled(self) -> tuple[float, float]:
        """The smallest difference that is shown with twice the seeds, and with twice the examples."""
        return self._detect(2 * self.n_seeds, self.test_examples), self._detect(
            self.n_seeds, 2 * self.test_examples
        )

    @cached_property
    def detectable_difference(self) -> float:
        """The smallest difference that is shown with the usual power."""
        return self._detect(self.n_seeds, self.test_examples)

    @cached_property
    def detectable_by_pair(self) -> dict[int, dict[int, float]]:
        """The same for each number of test examples, and of seeds in `SEEDS`."""
        counts = dict.fromkeys(max(2, round(share * self.test_examples)) for share in EXAMPLES)
        return {count: {n: self._detect(n, count) for n in SEEDS} for count in counts}

    @property
    def detectable_by_seeds(self) -> dict[int, float]:
        """The same for each number of seeds, with the contrast's own test examples."""
        return self.detectable_by_pair[self.test_examples]

    @cached_property
    def power(self) -> float | None:
        """The chance of showing `difference`; None where none is asked for."""
        if self.difference is None:
            return None
        return compute_power(self.difference, self.variances, self.n_seeds, self.test_examples, self.level)

    @cached_property
    def required_seeds(self) -> int | None:
        """The fewest seeds that show `difference` on these examples; None where no number does."""
        if self.difference is None:
            return None
        return find_required_seeds(self.difference, self.variances, self.test_examples, alpha=self.level)

    @cached_property
    def required_examples(self) -> int | None:
        """The fewest examples that show `difference` with these seeds; None where no number does."""
        if self.difference is None:
            return None
        return find_required_examples(self.difference, self.variances, self.n_seeds, alpha=self.level)

    @cached_property
    def cheapest_pair(self) -> Pair | None:
        """The seeds and test examples that show `difference` at least cost; None where none do."""
        if self.difference is None:
            return None
        return find_cheapest_pair(self.difference, self.variances, self.seed_cost, alpha=self.level)

    @cached_property
    def ranges(self) -> PowerRanges | None:
        """How uncertain all of this is, by the few seeds that variances were measured with; None of
        assumptions."""
        if self.squares is None:
            return None
        return PowerRanges(self.squares, np.random.default_rng(_SEED), alpha=self.level)

    @cached_property
    def detectable_range(self) -> tuple[float, float] | None:
        """Where the detectable difference lies, with a chance of `RANGE`; it holds the estimate."""
        if self.ranges is None:
            return None
        low, high = self.ranges.detectable_difference(self.n_seeds, self.test_examples)
        return min(low, self.detectable_difference), max(high, self.detectable_difference)

    @cached_property
    def required_seeds_range(self) -> tuple[int | None, int | None] | None:
        """Where the required seeds lie; None as an end: no number is enough."""
        if self.ranges is None or self.difference is None:
            return None
        found = self.ranges.find_required_seeds(self.difference, self.test_examples)
        return _hold_estimate(found, self.required_seeds)

    @cached_property
    def required_examples_range(self) -> tuple[int | None, int | None] | None:
        """Where the required test examples lie; None as an end: no number is enough."""
        if self.ranges is None or self.difference is None:
            return None
        found = self.ranges.find_required_examples(self.difference, self.n_seeds)
        return _hold_estimate(found, self.required_examples)

    def _detect(self, n_seeds: int, n_examples: int) -> float:
        return detectable_difference(self.variances, n_seeds, n_examples, alpha=self.level)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        values: dict[str, Any] = {
            "contrast": self.contrast,
            "n_seeds": self.n_seeds,
            "test_examples": self.test_examples,
            "n_tests": self.n_tests,
            "level": self.level,
            "variances": asdict(self.variances),
            "persistent_share": self.variances.persistent_share,
            "measured_seeds": self.squares.n_seeds if self.squares else None,
            "std_error": self.std_error,
            "detectable_difference": self.detectable_difference,
            "detectable_range": self.detectable_range,
            "detectable_by_seeds": _name_counts(self.detectable_by_seeds),
            "detectable_by_pair": [
                {"test_examples": count, "by_seeds": _name_counts(by_seeds)}
                for count, by_seeds in self.detectable_by_pair.items()
            ],
            "limiting_factor": self.limiting_factor,
            "detectable_with_twice_the_seeds": self.detectable_doubled[0],
            "detectable_with_twice_the_examples": self.detectable_doubled[1],
            "target_power": POWER,
            "range_level": RANGE,
        }
        if self.difference is None:
            return values
        return values | {
            "difference": self.difference,
            "power": self.power,
            "required_seeds": self.required_seeds,
            "required_seeds_range": self.required_seeds_range,
            "required_examples": self.required_examples,
            "required_examples_range": self.required_examples_range,
            "seed_cost": self.seed_cost,
            "cheapest_pair": asdict(self.cheapest_pair) if self.cheapest_pair else None,
        }


def _hold_estimate(
    ends: tuple[int | None, int | None], estimate: int | None
) -> tuple[int | None, int | None]:
    """The range, widened to hold the estimate: of variances that may be zero it can lie outside. None is no
    end."""
    low, high = (math.inf if end is None else end for end in ends)
    value = math.inf if estimate is None else estimate
    wide = min(low, value), max(high, value)
    first, last = (None if end == math.inf else int(end) for end in wide)
    return first, last


def _name_counts(values: dict[int, float]) -> dict[str, float]:
    """With keys that JSON has."""
    return {str(count): value for count, value in values.items()}


@dataclass(frozen=True, repr=False)
class PowerAnalysis(Shown, view="headstart.report.views.power:POWER"):
    """What each contrast of a study, run or assumed, can show of one metric.

    `warnings` say which arms collapsed whose variances these are.
    """

    metric: str
    contrasts: tuple[ContrastPower, ...]
    warnings: tuple[StudyWarning, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "metric": self.metric,
            "contrasts": [contrast.to_dict() for contrast in self.contrasts],
            "warnings": [warning.model_dump() for warning in self.warnings],
        }


@dataclass(frozen=True)
class Rank:
    """A result of a leaderboard, its difference to the first, and whether that could be chance.

    `score` is the mean of the `rows` that it has.
    """

    name: str
    score: float
    difference: float
    is_noise: bool
    rows: int = 1


@dataclass(frozen=True, repr=False)
class Leaderboard(Shown, view="headstart.report.views.power:LEADERBOARD"):
    """The best of single results on the same test examples.

    `noise_limit` is the difference that noise of the examples alone makes one time in twenty.
    """

    test_examples: int
    noise_limit: float
    ranks: tuple[Rank, ...]
    metric: str = "accuracy"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "metric": self.metric,
            "test_examples": self.test_examples,
            "noise_limit": self.noise_limit,
            "ranks": [asdict(rank) for rank in self.ranks],
        }
