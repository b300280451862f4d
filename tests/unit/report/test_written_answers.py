"""What is shown of written answers: metrics by arm, and samples in which an empty answer is called so."""

from __future__ import annotations

from typing import Any

from rich.console import Group

from headstart.records.answers import AnswerRow, AnswerSample, WrittenAnswers
from headstart.report.written_answers import render_answers
from studies import rendered_lines


def show(*samples: AnswerSample, **row: Any) -> list[str]:
    rows = (AnswerRow(arm="lora", size="all", n_seeds=2, **row),)
    return rendered_lines(Group(*render_answers(WrittenAnswers(rows=rows, samples=samples))))


def make_sample(**changes: Any) -> AnswerSample:
    values = {"run": "lora/all/0", "prompt": "say\na", "reference": "aaa", "before": "", "after": "a" * 400}
    return AnswerSample(**(values | changes))


def test_metrics_stand_by_arm() -> None:
    lines = show(chrf=41.25, exact_match=0.5, stopped=1.0)
    assert any("lora" in line and "41.2" in line and "50.0" in line and "100.0" in line for line in lines)


def test_an_empty_answer_is_called_empty_and_a_long_one_is_cut() -> None:
    shown = " ".join(show(make_sample(), chrf=1.0))
    assert "prompt say a reference aaa before training (empty) after (lora/all/0) aaa" in shown
    assert "".join(shown.split()).endswith("a" * 300 + "...")


def test_what_is_not_known_is_left_out() -> None:
    shown = " ".join(show(make_sample(reference=None, before=None, after=" \n "), chrf=1.0))
    assert "reference" not in shown
    assert "before" not in shown
    assert shown.endswith("after (lora/all/0) (empty)")


def test_nothing_is_shown_where_nothing_was_written() -> None:
    assert render_answers(None) == []
    assert show() == []
