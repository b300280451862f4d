"""Prompts won, as a table beside contrasts and in a sentence that says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.analysis.comparison import Comparison
from headstart.commands.compare import compare
from headstart.report.comparison_tables import make_tables
from headstart.report.conclusions import explain_comparison
from headstart.report.win_rates import format_rate, make_win_rates_table
from judged_studies import answer_alike, write_answered_study


def compared(out: Path, metric: str = "exact_match", seeds: Sequence[int] = (0, 1, 2)) -> Comparison:
    write_answered_study(out, prompts=12, seeds=seeds, answer=answer_alike)
    return compare(out, metric=metric)


def test_each_contrast_of_answers_has_a_row(tmp_path: Path) -> None:
    comparison = compared(tmp_path / "out")
    head, row = make_win_rates_table(comparison)
    assert head == ["prompts won", "vs base, 95%", "ties", "prompts"]
    # Both are right on every third prompt, and wrong on all others: Wilson's of 6 in 12, Student's quantile.
    assert row == ["tuned", "50.0% (23.2 to 76.8)", "100.0%", "12"]
    assert [head, row] in list(make_tables(comparison))
    assert any("Prompts won: " in note for note in explain_comparison(comparison))
    assert comparison.to_dict()["contrasts"][0]["win_rate"]["ties"] == 1.0


def test_one_seed_has_a_rate_and_no_interval(tmp_path: Path) -> None:
    _, row = make_win_rates_table(compared(tmp_path / "out", seeds=(0,)))
    assert row[1] == "50.0%"


def test_two_studies_are_compared_with_the_first(tmp_path: Path) -> None:
    assert make_win_rates_table(replace(compared(tmp_path / "out"), control=None))[0][1] == "vs A, 95%"


def test_labels_win_no_prompts(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    rows = ["arm,seed,accuracy", "random,0,0.5", "random,1,0.6", "tuned,0,0.7", "tuned,1,0.75", ""]
    file.write_text("\n".join(rows), encoding="utf-8")
    comparison = compare(file)
    assert make_win_rates_table(comparison) == []
    assert not any("Prompts won" in note for note in explain_comparison(comparison))
    assert comparison.to_dict()["contrasts"][0]["win_rate"] is None


@pytest.mark.parametrize(("ends", "text"), [((0.25, 0.75), "50.0% (25.0 to 75.0)"), ((None, None), "50.0%")])
def test_rates_as_they_are_written(ends: tuple[float | None, float | None], text: str) -> None:
    assert format_rate(0.5, *ends) == text
