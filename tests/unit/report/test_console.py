"""What is printed is shown, and obeyed by no terminal: in tables, sentences and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from headstart.cli import main
from headstart.report.console import make_console

HOSTILE = "a\x1b[2Jred\u202eb\x07"


def test_controls_are_escaped_in_whatever_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("label")
    table.add_row(Text(HOSTILE))
    for renderable in (HOSTILE, Text(HOSTILE, style="dim"), table):
        make_console().print(renderable)
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "a\\x1b[2Jred\\u202eb" in shown


def test_riches_own_codes_stay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    make_console().print(Text(HOSTILE, style="bold"))
    shown = capsys.readouterr().out
    assert shown.startswith("\x1b[1m")
    assert "\x1b[2J" not in shown


def test_a_plan_and_an_error_show_hostile_labels(
    study_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_file(arms={"random": {"init": "random"}, "words": None})
    train = tmp_path / "reviews" / "train.jsonl"
    train.write_text(train.read_text("utf-8").replace('"good"', json.dumps(HOSTILE)), encoding="utf-8")
    assert main(["plan", str(file)]) == 2  # of a label that valid has and train has not
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "x1b[2Jred" in shown
    for part in (tmp_path / "reviews").glob("*.jsonl"):
        part.write_text(part.read_text("utf-8").replace('"good"', json.dumps(HOSTILE)), encoding="utf-8")
    assert main(["plan", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "a\\x1b[2Jred" in shown
