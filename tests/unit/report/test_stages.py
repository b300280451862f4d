"""A stage is a plain line in a log, and on a terminal a line that is taken away."""

from __future__ import annotations

import re
import threading
from io import StringIO

from rich.console import Console

from headstart.report.stages import StageLine

STAGES = ("reading a.jsonl", "tokenising 1,200 texts for [bold]a model[/bold]")


def show(console: Console, after: float = 0.0) -> None:
    """Show the stages on it, one after the other."""
    with StageLine(console, after=after) as line:
        for stage in STAGES:
            line.on_stage(stage)


def test_a_log_has_a_line_for_each_stage_and_no_control_characters() -> None:
    stream = StringIO()
    show(Console(file=stream, width=20))
    assert stream.getvalue() == "".join(f"{stage}\n" for stage in STAGES)


def test_a_dumb_terminal_is_a_log() -> None:
    stream = StringIO()
    show(Console(file=stream, width=80, force_terminal=True, _environ={"TERM": "dumb"}))
    assert stream.getvalue().splitlines() == [*STAGES]


def test_a_terminal_shows_it_on_one_line_that_is_taken_away() -> None:
    stream = StringIO()
    show(Console(file=stream, width=30, force_terminal=True, no_color=True, _environ={"TERM": "xterm"}))
    text = stream.getvalue()
    assert "reading a.jsonl" in text
    assert "tokenising" in text
    assert "…" in text, "one line, however narrow"
    assert text.endswith("\x1b[1A\x1b[2K"), "the last line is erased"
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text), "without colours where none are wanted"


def test_what_takes_less_than_the_patience_is_not_told() -> None:
    stream = StringIO()
    show(Console(file=stream), after=60.0)
    assert stream.getvalue() == ""


def test_a_stage_that_outlasts_the_patience_is_told_while_it_goes_on() -> None:
    told = threading.Event()

    class Stream(StringIO):
        def write(self, text: str) -> int:
            written = super().write(text)
            told.set()
            return written

    stream = Stream()
    with StageLine(Console(file=stream), after=0.05) as line:
        line.on_stage("loading PyTorch")
        assert told.wait(60)
        assert stream.getvalue().strip() == "loading PyTorch"
