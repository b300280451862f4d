"""Refuses questions to `headstart power` that have no answer: one message for each, which says why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from headstart.config.limits import MOST_RUNS, MOST_SEEDS, MOST_TEXTS
from headstart.errors import HeadstartError

#: Beyond every count of seeds, test examples and contrasts.
_MOST: Final = 10**15


@dataclass(frozen=True)
class Question:
    """What is asked of one contrast, or of each of a study; None where it has a default, or is not asked.

    `difference` is in points for shares, else in the metric's unit. `contrasts`: how many share the 5%.
    `seed_cost` is in labelled test examples.
    """

    difference: float | None = None
    test_examples: int | None = None
    seeds: int | None = None
    contrasts: int | None = None
    seed_cost: float | None = None

    def check(self, *, is_share: bool) -> None:
        """See that a study of this size can be, and a difference of this size.

        Raises:
            HeadstartError: it cannot.
        """
        if self.difference is not None:
            _check(self.difference > 0, self.difference, "--difference", "a number above 0")
            _check(not is_share or self.difference <= 100, self.difference, "--difference", "100 at most")
        if self.test_examples is not None:
            _check(self.test_examples >= 2, self.test_examples, "--test-examples", "2 or more")
            _check_most(self.test_examples, MOST_TEXTS, "--test-examples")
        if self.seeds is not None:
            why = "2 or more: one seed gives no interval over seeds, so no difference can be detected"
            _check(self.seeds >= 2, self.seeds, "--seeds", why)
            _check_most(self.seeds, MOST_SEEDS, "--seeds")
        if self.contrasts is not None:
            _check(self.contrasts >= 1, self.contrasts, "--contrasts", "1 or more")
            _check_most(self.contrasts, MOST_RUNS, "--contrasts")
        if self.seed_cost is not None:
            _check(self.seed_cost >= 0, self.seed_cost, "--seed-cost", "0 or more labelled test examples")


@dataclass(frozen=True)
class Assumptions:
    """What is assumed of two models before a study, in percent and points.

    `accuracy` is the mean of both, `disagree` the examples on which they differ in being right (as many as
    of models that err independently, where it is None), `disagree_stays` how much of that is the same with
    every pair of seeds, and `seed_std` the deviation of their difference over seeds.
    """

    accuracy: float = 80.0
    disagree: float | None = None
    disagree_stays: float = 50.0
    seed_std: float = 1.0

    @property
    def disagreement(self) -> float:
        """In percent of the examples."""
        if self.disagree is not None:
            return self.disagree
        return 2 * self.accuracy * (100 - self.accuracy) / 100

    def check(self, difference: float | None) -> None:
        """See that two models can be so, and differ by `difference` points.

        Raises:
            HeadstartError: they cannot.
        """
        right = self.accuracy
        _check(0 < right < 100, right, "--accuracy", "above 0 and below 100: else two models never differ")
        most = 2 * min(right, 100 - right)
        if self.disagree is not None:
            why = f"above 0, and {most:g} at most: what two models disagree on, one of them gets wrong"
            if right < 50:
                why = f"above 0, and {most:g} at most: what two models disagree on, one of them gets right"
            _check(0 < self.disagree <= most, self.disagree, "--disagree", why)
        _check(0 <= self.disagree_stays <= 100, self.disagree_stays, "--disagree-stays", "0 to 100 percent")
        self._check_difference(difference, most)
        # Where seeds move a difference by so much, models disagree on as many examples as it moves.
        limit = 100 * math.sqrt(self.disagreement / 100)
        _check(
            0 <= self.seed_std <= limit,
            self.seed_std,
            "--seed-std",
            f"0 to {limit:.3g} points: of models that disagree on {self.disagreement:.3g}% of the examples",
        )

    def _check_difference(self, difference: float | None, most: float) -> None:
        """Models that differ by so much disagree on as many examples at least."""
        if difference is None or difference <= self.disagreement:
            return
        if difference > most:
            expected, fix = f"{most:g} at most: of two models of {self.accuracy:g}% on average", None
        elif self.disagree is None:
            expected = f"{self.disagreement:.3g} at most: models that err independently disagree on no more"
            fix = f"set how often they disagree: --disagree {difference:g} or more"
        else:
            expected = f"{self.disagree:g} at most, as in --disagree: where models agree they do not differ"
            fix = f"--disagree {difference:g} or more"
        raise HeadstartError(f"{difference:g} points", where="--difference", expected=expected, fix=fix)


def _check_most(count: int, most: int, where: str) -> None:
    if count > most:
        raise HeadstartError(str(count), where=where, expected=f"{most:,} at most")


def _check(is_possible: bool, value: float, where: str, expected: str) -> None:
    """Of a number that is finite, and no larger than anybody counts: `inf` and `nan` are none.

    Raises:
        HeadstartError: it is not possible.
    """
    if isinstance(value, int) and abs(value) > _MOST:  # whose float may not exist
        raise HeadstartError(f"a number of {len(str(abs(value)))} digits", where=where, expected=expected)
    if not (is_possible and math.isfinite(value)):
        raise HeadstartError(f"{value:g}", where=where, expected=expected)
