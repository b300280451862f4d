"""What is shown where a rule added seeds: the figure that belongs to the interval, and what it holds for."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.records import Contrast, StoppingRule
from headstart.report.stopping import (
    describe_anytime_brackets,
    describe_anytime_interval,
    explain_stopping,
    is_of_median,
    select_difference,
)
from studies import findings_of

SIGNS = StoppingRule(metric="accuracy", width=2.0, most_seeds=12)
NORMAL = SIGNS.model_copy(update={"sequence": "t"})


def contrast(**changes: Any) -> Contrast:
    ends = {"sequence_low": 0.05, "sequence_high": 0.3, "n_seeds": 9, "test_examples": 2000}
    return findings_of().contrasts[0].model_copy(update=ends | {"median_difference": 0.18} | changes)


@pytest.mark.parametrize(
    ("rule", "shown", "is_median"), [(SIGNS, 0.18, True), (NORMAL, 0.1717, False), (None, 0.1717, False)]
)
def test_the_figure_is_the_one_that_the_interval_is_of(
    rule: StoppingRule | None, shown: float, is_median: bool
) -> None:
    assert select_difference(contrast(), rule) == pytest.approx(shown, abs=1e-4)
    assert is_of_median(rule) is is_median


@pytest.mark.parametrize(("rule", "words"), [(SIGNS, "of the median"), (NORMAL, "if differences are normal")])
def test_an_interval_names_its_object_or_its_assumption(rule: StoppingRule, words: str) -> None:
    assert describe_anytime_interval(contrast(), rule) == (
        f"95% at any number of seeds, {words}, +5.0 to +30.0, 9 seeds and 2,000 test examples"
    )
    assert describe_anytime_interval(contrast(sequence_low=None), rule).startswith("no interval yet; 9 seeds")
    assert describe_anytime_brackets([contrast()], rule) == (
        f"95% at any number of seeds, {words}, over seeds and test examples"
    )
    unknown = describe_anytime_brackets([contrast(test_examples=None)], rule)
    assert unknown.endswith(", over seeds, on this test set")


def test_unknown_examples_and_other_metrics_are_said() -> None:
    known, of_loss = explain_stopping([contrast()], "loss", SIGNS)
    assert "for other seeds and test examples" in known
    assert of_loss == "The rule was for accuracy: it may not have settled loss."
    (unknown,) = explain_stopping([contrast(test_examples=None)], "accuracy", NORMAL)
    assert "on this test set only" in unknown
    assert "on the assumption that differences over seeds are normal" in unknown


@pytest.mark.parametrize(
    ("rule", "changes", "fewest"),
    [
        (SIGNS, {}, 8),
        (SIGNS, {"test_examples": None}, 7),
        (SIGNS, {"n_tests": 4}, 10),
        (NORMAL, {}, 6),
    ],
)
def test_how_many_seeds_it_needs_is_told(rule: StoppingRule, changes: dict[str, Any], fewest: int) -> None:
    *_, last = explain_stopping([contrast(sequence_low=None, **changes)], "accuracy", rule)
    assert last == f"It needs {fewest} seeds or more."
