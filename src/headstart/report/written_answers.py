"""Shows what language models wrote: metrics of answers by arm, and answers before and after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from headstart.records.answers import AnswerSample, WrittenAnswers
from headstart.report.numbers import format_metric
from headstart.report.tables import make_table
from headstart.wording import cut_text

CAPTION: Final = "means over seeds; stopped: the answer ended with an end token"
_METRICS: Final = ("chrf", "exact_match", "stopped")
#: Characters of a text that are shown; its file has all.
_SHOWN: Final = 300
_EMPTY: Final = "(empty)"


def render_answers(answers: WrittenAnswers | None) -> list[RenderableType]:
    """A table and samples, each after an empty line; nothing where nothing was written."""
    rows = make_answers_table(answers)
    if answers is None or not rows:
        return []
    table = replace(make_table(rows), title="answers to test prompts", caption=CAPTION)
    return [Text(), table, *(part for sample in answers.samples for part in (Text(), _render_sample(sample)))]


def make_answers_table(answers: WrittenAnswers | None) -> list[list[str]]:
    """A heading and a row for each arm; nothing where nothing was written."""
    if answers is None or not any(row.chrf is not None for row in answers.rows):
        return []
    head = ["arm", "chrF", "exact match, %", "stopped, %"]
    return [
        head,
        *([row.arm, *(format_metric(one, getattr(row, one)) for one in _METRICS)] for row in answers.rows),
    ]


def _render_sample(sample: AnswerSample) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, text in list_lines(sample):
        grid.add_row(Text(name, style="dim"), Text(text, overflow="fold"))
    return grid


def list_lines(sample: AnswerSample) -> Iterator[tuple[str, str]]:
    """What is shown of a sample, name by text."""
    yield "prompt", _shorten(sample.prompt)
    if sample.reference is not None:
        yield "reference", _shorten(sample.reference)
    if sample.before is not None:
        yield "before training", _shorten(sample.before)
    yield f"after ({sample.run})", _shorten(sample.after)


def _shorten(text: str) -> str:
    """The text in one line, cut where it is long; one without letters is said to be so."""
    line = " ".join(text.split())
    return cut_text(line, _SHOWN) or _EMPTY
