"""Power of contrasts with given numbers of seeds and examples, and which ranks of a leaderboard are noise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from headstart.records import SCHEMA_VERSION
from headstart.stats.power import (
    POWER,
    LimitingFactor,
    VarianceComponents,
    compute_power,
    detectable_difference,
    find_required_examples,
    find_required_seeds,
)

#: Numbers of seeds that a table shows.
SEEDS: Final = (2, 3, 5, 10, 20)


@dataclass(frozen=True)
class ContrastPower:
    """What a contrast of so many seeds and test examples can show, by the variances behind it.

    `difference` is the one that is to be shown, if any: as the metric is, 0.01 for a point.
    """

    contrast: str
    variances: VarianceComponents
    n_seeds: int
    test_examples: int
    difference: float | None

    @property
    def std_error(self) -> float:
        """Of the mean difference."""
        return self.variances.std_error(self.n_seeds, self.test_examples)

    @property
    def limiting_factor(self) -> LimitingFactor:
        """Which of seeds and examples makes the error large."""
        return self.variances.limiting_factor(self.n_seeds, self.test_examples)

    @property
    def detectable_difference(self) -> float:
        """The smallest difference that is shown with the usual power."""
        return detectable_difference(self.variances, self.n_seeds, self.test_examples)

    @property
    def detectable_by_seeds(self) -> dict[int, float]:
        """The same for each number of seeds in `SEEDS`."""
        return {n: detectable_difference(self.variances, n, self.test_examples) for n in SEEDS}

    @property
    def power(self) -> float | None:
        """The chance of showing `difference`; None where none is asked for."""
        if self.difference is None:
            return None
        return compute_power(self.difference, self.variances, self.n_seeds, self.test_examples)

    @property
    def required_seeds(self) -> int | None:
        """The fewest seeds that show `difference` on these examples; None where no number does."""
        if self.difference is None:
            return None
        return find_required_seeds(self.difference, self.variances, self.test_examples)

    @property
    def required_examples(self) -> int | None:
        """The fewest examples that show `difference` with these seeds; None where no number does."""
        if self.difference is None:
            return None
        return find_required_examples(self.difference, self.variances, self.n_seeds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        values: dict[str, Any] = {
            "contrast": self.contrast,
            "n_seeds": self.n_seeds,
            "test_examples": self.test_examples,
            "variances": asdict(self.variances),
            "std_error": self.std_error,
            "detectable_difference": self.detectable_difference,
            "detectable_by_seeds": {str(n): value for n, value in self.detectable_by_seeds.items()},
            "limiting_factor": self.limiting_factor,
            "target_power": POWER,
        }
        if self.difference is None:
            return values
        return values | {
            "difference": self.difference,
            "power": self.power,
            "required_seeds": self.required_seeds,
            "required_examples": self.required_examples,
        }


@dataclass(frozen=True)
class PowerAnalysis:
    """What each contrast of a study, run or assumed, can show of one metric."""

    metric: str
    contrasts: tuple[ContrastPower, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "metric": self.metric,
            "contrasts": [contrast.to_dict() for contrast in self.contrasts],
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


@dataclass(frozen=True)
class Leaderboard:
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
