"""Runs that failed, in a sentence."""

from __future__ import annotations

from typing import Any

from headstart.records import OutcomeRow
from headstart.report.conclusions import draw_conclusions
from headstart.report.outcomes import describe_failed_runs
from studies import findings_of


def make_row(arm: str = "random", size: Any = "all", **values: Any) -> OutcomeRow:
    found = {"n_runs": 10, "n_failed": 0, "n_collapsed": 2, "majority": 0.5134}
    return OutcomeRow.model_validate({"arm": arm, "size": size} | found | values)


def test_runs_that_failed() -> None:
    (sentence,) = describe_failed_runs([make_row(n_failed=1, n_collapsed=0)])
    assert sentence.startswith("1 run failed and is excluded (1 of 10 of random): means")
    assert "cover finished runs only" in sentence
    rows = [make_row(n_failed=2, n_collapsed=None), make_row("lora", 50, n_failed=1, n_collapsed=1)]
    (failed,) = describe_failed_runs(rows)
    assert failed.startswith(
        "Some runs failed and are excluded (2 of 10 of random, 1 of 10 of lora with 50 training examples)"
    )


def test_nothing_is_said_of_runs_that_are_well() -> None:
    assert list(describe_failed_runs([make_row(n_collapsed=0), make_row(n_collapsed=None)])) == []


def test_a_studys_conclusions_say_that_a_run_failed() -> None:
    sentences = draw_conclusions(findings_of({"pretrained": (0.8, None, 0.82), "random": (0.6, 0.61, 0.63)}))
    assert any("1 of 3 of pretrained" in sentence for sentence in sentences)
