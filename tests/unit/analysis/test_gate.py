"""Exit codes of verdicts, and of which contrast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headstart.analysis.comparison import Comparison
from headstart.analysis.gate import EXIT_CODES, judge_gate
from headstart.config.metrics import describe_metric
from headstart.errors import HeadstartError
from headstart.records import Contrast, TierRow
from studies import findings_of


def comparison(*rows: tuple[str, Any, Any]) -> Comparison:
    """Of arms at sizes with these verdicts, against `random`."""
    known = findings_of().contrasts[0]
    contrasts: tuple[Contrast, ...] = tuple(
        known.model_copy(update={"arm": arm, "size": size, "verdict": verdict}) for arm, size, verdict in rows
    )
    return Comparison("x", describe_metric("accuracy"), "random", None, (), (), contrasts)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("better", 0), ("no difference", 0), ("not worse", 0), ("undecided", 3), ("worse", 4)],
)
def test_each_verdict_has_its_code(verdict: Any, code: int) -> None:
    gate = judge_gate(comparison(("tuned", "all", verdict)))
    assert (gate.arm, gate.control, gate.verdict, gate.exit_code) == ("tuned", "random", verdict, code)


def test_every_verdict_has_a_code() -> None:
    assert set(EXIT_CODES) == set(Contrast.model_fields["verdict"].annotation.__args__)  # type: ignore[union-attr]


def test_of_several_arms_one_has_to_be_named() -> None:
    found = comparison(("a", "all", "better"), ("b", "all", "worse"))
    with pytest.raises(HeadstartError, match=r"2 contrasts of 2 arms[\s\S]*--arm with one of a, b"):
        judge_gate(found)
    assert judge_gate(found, "b").exit_code == 4
    with pytest.raises(HeadstartError, match=r"'c' is not an arm with a contrast"):
        judge_gate(found, "c")


def test_of_several_sizes_the_gravest_counts() -> None:
    found = comparison(("a", 10, "better"), ("a", 20, "undecided"), ("a", 30, "better"))
    assert judge_gate(found).exit_code == 3


def test_tiers_have_no_gate() -> None:
    row = TierRow(
        arm="a", metric="accuracy", mean=0.5, may_be_best=True, beaten_by=(), tier=1, rank_low=1, rank_high=1
    )
    with pytest.raises(HeadstartError, match=r"--control NAME and --arm NAME"):
        judge_gate(replace(comparison(("a", "all", "better")), tiers=(row,)))
