"""What is said of runs that collapsed: marks, and verdicts with what they rest on in the same sentence."""

from __future__ import annotations

from typing import Any

from headstart.records import Collapse, CollapsedArm, OutcomeRow
from headstart.report.collapsed import (
    describe_collapse,
    describe_mark,
    explain_collapsed,
    mark_verdict,
    qualify_arm,
)
from studies import findings_of

ARM = CollapsedArm(
    answer="'positive'",
    answer_share=1,
    random_init=True,
    steps=40,
    epochs=2,
    learning_rate=1e-5,
    try_epochs=20,
    try_rates=(1e-5, 3e-5),
)


def make_row(arm: str = "random", **changes: Any) -> OutcomeRow:
    values = {"size": "all", "n_runs": 3, "n_failed": 0, "n_collapsed": 3, "collapse": ARM}
    return OutcomeRow.model_validate({"arm": arm} | values | changes)


def select_contrasts(verdict: str) -> Any:
    rows = (row for row in findings_of().contrasts if row.metric == "accuracy")
    return [row.model_copy(update={"verdict": verdict}) for row in rows]


def test_a_verdict_over_a_collapsed_control_says_so_in_the_same_sentence() -> None:
    alive = make_row("pretrained", n_collapsed=0, collapse=None, pretrained=True)
    (sentence,) = explain_collapsed([alive, make_row()], select_contrasts("better"))
    assert sentence == (
        "pretrained is better than random, but random collapsed in 3 of 3 runs (always 'positive'): after 40 "
        "steps at learning rate 1e-5 nothing has been learnt yet; the gain measures the training budget, not "
        "pretraining. Try training.epochs=20 or tune: {learning_rate: [1e-5, 3e-5]}."
    )


def test_so_does_one_of_a_collapsed_arm() -> None:
    (sentence,) = explain_collapsed([make_row("pretrained")], select_contrasts("worse"))
    assert sentence.startswith("pretrained is worse than random, but pretrained collapsed in 3 of 3 runs")
    assert "says nothing of what more training would give" in sentence


def test_arms_of_which_the_same_is_to_be_said_share_a_sentence() -> None:
    (sentence,) = explain_collapsed([make_row("pretrained"), make_row()], select_contrasts("undecided"))
    assert sentence.startswith(
        "pretrained collapsed in 3 of 3 runs (always 'positive'); random collapsed in 3 of 3 runs (always "
        "'positive'): after 40 steps"
    )


def test_what_did_not_collapse_is_not_spoken_of() -> None:
    alive = make_row(n_collapsed=0, collapse=None)
    assert list(explain_collapsed([alive], select_contrasts("better"))) == []
    assert describe_mark([alive]) == ""
    assert describe_mark([make_row()]).startswith("† collapsed")


def test_marks() -> None:
    (row,) = select_contrasts("better")
    assert mark_verdict("better", row) == "better"
    assert mark_verdict("better", row.model_copy(update={"n_control_collapsed": 1})) == "better†"
    assert (qualify_arm("random", 0), qualify_arm("random", 3)) == ("random", "random (collapsed)")


def test_the_end_of_a_runs_line() -> None:
    collapse = Collapse(reason="one answer", answer="'positive'", count=300, n_examples=300)
    assert describe_collapse(collapse) == "; collapsed: answers 'positive' for 300 of 300 test examples"
    at_chance = {"reason": "loss", "right": 151, "loss": 0.6921, "chance_loss": 0.6931}
    assert describe_collapse(collapse.model_copy(update=at_chance)) == (
        "; collapsed: training loss ended at 0.692 (guessing: 0.693), 151 of 300 test examples right"
    )
    assert describe_collapse(None) == ""
