"""A view of one type of results: its line, what a terminal shows of it, and its tables by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from headstart.report.views.frames import MakeRows, make_frame
from headstart.report.views.html import render_html
from headstart.report.views.text import render_text

if TYPE_CHECKING:
    import pandas

    from headstart.report.figures.figure import Figure


def _draw_nothing(result: Any) -> Sequence[Figure]:
    return ()


@dataclass(frozen=True)
class ReportView:
    """`headstart.shown.View` of one type.

    `summary` says in a line what a result is, `render` is the command line's renderer, and `tables` are the
    rows of data frames by name, the one that matters most first. `figures` are drawn in notebooks.
    """

    summary: Callable[[Any], str]
    render: Callable[[Any], RenderableType]
    tables: Mapping[str, MakeRows] = field(default_factory=dict)
    figures: Callable[[Any], Sequence[Figure]] = _draw_nothing

    def summarise(self, result: Any) -> str:
        """What it is, in one line."""
        return self.summary(result)

    def render_text(self, result: Any, width: int | None, lines: int | None) -> str:
        """As on a terminal, without colours; cut after `lines` lines."""
        return render_text(self.render(result), width, lines)

    def render_html(self, result: Any) -> str:
        """As HTML that stands by itself, with its figures."""
        return render_html(self.render(result), self.figures(result))

    def make_frame(self, result: Any, table: str | None) -> pandas.DataFrame:
        """One of its tables, the first by default."""
        return make_frame(result, self.tables, table)
