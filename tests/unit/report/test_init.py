"""What `init` says: rows seen, what was guessed, doubts with a mark, and the next command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headstart.config.first_settings import choose_settings
from headstart.config.traits import get_task_traits
from headstart.data.guess.data_guess import DataGuess
from headstart.report.init import render_init
from headstart.report.study_file import StudyDraft


def make_draft(**changes: Any) -> StudyDraft:
    values: dict[str, Any] = {
        "source": Path("a.csv"),
        "files": {"path": Path("a.csv")},
        "parts": (),
        "task": "classification",
        "columns": {"text": ("one", "two"), "label": "kind"},
        "settings": {},
        "classes": dict.fromkeys(("a", "b, c", "d", "e", "f"), 5),
        "rows": 100,
        "seen": 100,
        "median_words": 9.0,
        "long_tokens": 20,
    }
    guess = DataGuess(**{**values, **changes})
    generates = get_task_traits(guess.task).generates
    settings = choose_settings(70, guess.long_tokens, limit=None, generates=generates)
    return StudyDraft(guess, "some/model", True, settings, Path("study.yaml"), "study.schema.json")


def render(**changes: Any) -> list[str]:
    return render_init(make_draft(**changes)).splitlines()


def test_what_was_seen_and_guessed_is_said() -> None:
    assert render() == [
        "a.csv: 100 rows, all read; median 9 words",
        "task classification: text one + two; label kind (5 classes: a, 'b, c', d, e, ...)",
        "wrote study.yaml, and study.schema.json for your editor; next: headstart plan study.yaml",
    ]


def test_rows_that_were_not_seen_are_said() -> None:
    assert render(rows=10_000, seen=5000)[0].startswith("a.csv: 10000 rows, 5000 read, spread over")


def test_schema_of_another_version_is_said() -> None:
    *_, caution, last = render_init(replace(make_draft(), is_other_schema=True)).splitlines()
    assert caution.endswith("`headstart schema > study.schema.json` updates it")
    assert last == "wrote study.yaml; next: headstart plan study.yaml"


def test_columns_passed_over_are_named() -> None:
    shown = render(passed_over={"": "a row identifier", "lang": "always en"})
    assert "not used: (no name) (a row identifier), lang (always en)" in shown


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"doubts": ("x or y",)}, "! x or y"),
        (
            {"faults": ("text is empty in 1 of 9",)},
            "! text is empty in 1 of 9: fix these rows, or skip them with `skip_invalid: true` in data",
        ),
        ({"long_tokens": 900}, "! long texts have about 900 tokens and are cut at 512"),
        (
            {"task": "instruction", "columns": {"messages": "chat"}},
            "! model some/model is a placeholder: choose a causal model with --model, or in the file",
        ),
    ],
)
def test_what_wants_a_look_has_a_mark(changes: dict[str, Any], line: str) -> None:
    assert line in render(**changes)
