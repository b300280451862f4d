"""Plain text of what a terminal shows: whole, narrow, or cut to a screen."""

from __future__ import annotations

import pytest
from rich.console import Group
from rich.text import Text

from headstart.report.views.text import render_text

LINES = Group(*(Text(f"line {i}", style="bold red") for i in range(10)), Text())


def test_it_is_plain_and_whole() -> None:
    assert render_text(LINES) == "\n".join(f"line {i}" for i in range(10))
    assert render_text(Text("a\x1b[31mb")) == "a\\x1b[31mb"


def test_where_it_is_cut_the_last_line_says_so() -> None:
    assert render_text(LINES, lines=10) == render_text(LINES)
    cut = render_text(LINES, lines=4).split("\n")
    assert cut == ["line 0", "line 1", "line 2", "... 7 more lines: to_text() gives all of them"]


def test_it_is_as_wide_as_asked_or_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Text("word " * 40)
    assert max(map(len, render_text(text, width=60).split("\n"))) <= 60
    monkeypatch.setenv("COLUMNS", "30")
    assert max(map(len, render_text(text).split("\n"))) <= 30
    monkeypatch.delenv("COLUMNS")
    assert 60 < max(map(len, render_text(text).split("\n"))) <= 100
