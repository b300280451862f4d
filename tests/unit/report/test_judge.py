"""Judgements in the words of all other contrasts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headstart.analysis.judgements import Agreement
from headstart.report.judge import describe_judgements, explain_judgements, make_judgement_tables
from headstart.stats.verdicts import Verdict
from judged_studies import build_judgements

FOUND = build_judgements()


@pytest.mark.parametrize(
    ("verdict", "begins"),
    [
        ("better", "lora beats base: its answer is preferred on 72.5% (60.0 to 82.0) of 40 prompts"),
        ("worse", "lora is worse than base: its answer is preferred on 72.5%"),
        ("undecided", "No clear difference between lora and base: lora's answer is preferred on 72.5%"),
    ],
)
def test_the_conclusion_has_the_words_of_the_others(verdict: Verdict, begins: str) -> None:
    assert describe_judgements(replace(FOUND, verdict=verdict)).startswith(begins)


def test_tables_hold_counts_rate_and_verdict() -> None:
    contrast, judges = make_judgement_tables(FOUND)
    assert contrast[1] == ["lora", "40", "24", "10", "6", "72.5% (60.0 to 82.0)", "0.001", "better"]
    assert judges[1] == ["a", "40", "0", "24", "10", "6", "15"]
    two = replace(FOUND, agreements=(Agreement("a", "b", 40, 0.8, 0.61), Agreement("a", "c", 2, 1.0, None)))
    assert [row[1:] for row in list(make_judgement_tables(two))[2][1:]] == [
        ["40", "80.0%", "0.61"],
        ["2", "100.0%", "-"],
    ]


def test_notes_say_what_is_counted_and_what_is_not_covered() -> None:
    assert any("not for other seeds" in note for note in explain_judgements(FOUND))
    assert any("One judge" in note for note in explain_judgements(FOUND))
    counted = list(explain_judgements(replace(FOUND, equal=1, unjudged=3, groups=7, notes=("a is b",))))
    assert counted[0] == "a is b"
    assert any("over 7 groups of prompts" in note for note in counted)
    assert any("1 pair of identical answers" in note for note in counted)
    assert any("3 rows of the sheet not judged" in note for note in counted)
