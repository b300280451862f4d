"""Sentences about label worth: only what its interval bears, and what its curve does not."""

from __future__ import annotations

from typing import Any

import pytest

from headstart.records import WorthRow
from headstart.report.worth import (
    describe_label_worth,
    describe_label_worths,
    explain_worth,
    is_told,
    select_first_told,
)

OVER, UNDER = "more than the largest", "less than the smallest"
#: Values of `worth`, or of an end, that are beyond the control's amounts.
BEYOND = {"over": OVER, "under": UNDER}


def row(worth: float | str, low: float | str | None, high: float | str | None, **more: Any) -> WorthRow:
    values: dict[str, Any] = {}
    for name, value in {"worth": worth, "low": low, "high": high}.items():
        values[name] = None if isinstance(value, str) else value
        values[f"{name}_beyond"] = BEYOND[value] if isinstance(value, str) else None
    return WorthRow(
        arm="tuned",
        control="random",
        size=125,
        metric="accuracy",
        amount=125,
        score=0.701,
        smallest=125,
        largest=2000,
        bootstrap_low=None,
        bootstrap_high=None,
        **values,
        **more,
    )


@pytest.mark.parametrize(
    ("worth", "low", "high", "needs"),
    [
        (1753, 823, 1990, "1,753 for that (95% 823 to 1,990)"),
        ("over", 958, "over", "at least 958 for that (95%)"),
        (1753, 823, "over", "at least 823 for that (95%)"),
        (300, "under", 878, "at most 878 for that (95%)"),
        ("over", "over", "over", "more than 2,000 for that (95%)"),
        ("under", "under", "under", "fewer than 125 for that (95%)"),
    ],
)
def test_what_is_sure_is_said(worth: Any, low: Any, high: Any, needs: str) -> None:
    sentence = describe_label_worth(row(worth, low, high))
    assert sentence == f"tuned reaches 70.1% accuracy with 125 labels; random needs {needs}."


@pytest.mark.parametrize(("low", "high"), [("under", "over"), (None, None)])
def test_where_nothing_is_sure_nothing_is_said(low: Any, high: Any) -> None:
    assert describe_label_worth(row(500, low, high)) is None


def test_a_curve_that_fell_is_told() -> None:
    (_, note) = explain_worth([row(198, 190, 250, below_again=500), row(300, 200, 400)])
    assert note == (
        "random does not rise steadily with labels: it reaches 70.1 with 198 (below it again with "
        "500). Worth is the fewest with which it reaches a score."
    )


def test_sizes_far_apart_are_named_once() -> None:
    rows = [row(198, 190, 250, wide_gaps=((125, 2000),))] * 2
    (_, note) = explain_worth(rows)
    assert note.startswith("random was run with no number of labels between 125 and 2,000, more than a")


def test_each_interval_is_said_to_be_its_own() -> None:
    (note,) = explain_worth([row(300, 200, 400)])
    assert "each 95% interval holds on its own" in note
    assert list(explain_worth([])) == []


def test_a_worth_that_may_be_anything_is_said_once_and_in_no_table() -> None:
    open_rows = [row(500, "under", "over").model_copy(update={"arm": arm}) for arm in ("a", "b")]
    (sentence,) = describe_label_worths(open_rows)
    assert sentence == (
        "How many labels of random the other arms are worth cannot be estimated from these sizes "
        "(125 to 2,000 labels)."
    )
    assert not any(is_told(row) for row in open_rows)
    assert list(explain_worth(open_rows)) == [sentence]


def test_of_each_arm_the_first_amount_is_told_of_which_something_is_sure() -> None:
    unsure = row(500, "under", "over")
    sure = row("over", "over", "over").model_copy(update={"size": 250, "amount": 250})
    other = unsure.model_copy(update={"arm": "other"})
    assert select_first_told([sure, unsure, other]) == [sure, other]
