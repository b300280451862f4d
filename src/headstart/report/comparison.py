"""Renders a comparison for a terminal, in Markdown or in LaTeX: the same cells, with notes below."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.comparison import Comparison
from headstart.data.markdown import escape_markdown_cell
from headstart.report.collapsed import explain_mark
from headstart.report.comparison_tables import select_tables
from headstart.report.conclusions import close_comparison, explain_comparison
from headstart.report.named_tables import NamedTable
from headstart.report.sparklines import render_sparklines
from headstart.report.table_formats import render_latex_table, render_markdown_table
from headstart.report.tables import drop_empty, make_table
from headstart.report.written_answers import render_answers

#: Columns whose cells may take several lines.
_WRAPS: Final = ("verdict", "beaten by")
_NEEDS_BOOKTABS: Final = "Needs \\usepackage{booktabs}."


def describe_comparison(comparison: Comparison) -> dict[str, Any]:
    """Plain values, for `--json`, with every sentence about them."""
    return comparison.to_dict() | {"sentences": explain_comparison(comparison)}


def render_comparison(
    comparison: Comparison, table: str | None = None, *, all_notes: bool = False
) -> RenderableType:
    """Tables and the notes that matter most, or all of them, for a terminal.

    Args:
        table: the name of one that is shown alone, without notes.

    Raises:
        HeadstartError: there is none of this name.
    """
    # The table of answers stands above their samples, unless it is shown alone.
    tables = [one for one in select_tables(comparison, table) if table or one.name != "answers"]
    # That a contrast has no interval is to be seen; that no arm's is known, a note says.
    rows = [drop_empty(one.rows) if one.name == "arms" else one.rows for one in tables]
    shown = [make_table(r, keys=one.keys, wraps=_WRAPS) for r, one in zip(rows, tables, strict=True)]
    marked = [i for i, cells in enumerate(rows) if explain_mark(cells)]
    if marked:  # once, below the last of them, whichever sentences are shown
        shown[marked[-1]] = replace(shown[marked[-1]], caption=explain_mark(rows[marked[-1]]))
    parts: list[RenderableType] = [part for one in shown for part in (one, Text())]
    curves = render_sparklines(comparison.curves, comparison.info) if table is None else []
    parts += [*curves, Text()] if curves else []
    answers = render_answers(comparison.answers) if table is None else []
    parts += [*answers[1:], Text()] if answers else []
    notes = explain_comparison(comparison) if all_notes else close_comparison(comparison, "add --all")
    notes = notes if table is None else []
    return Group(*parts, *map(Text, notes))


def render_comparison_markdown(comparison: Comparison, table: str | None = None) -> str:
    """The same in Markdown."""
    chosen = select_tables(comparison, table)
    tables = [render_markdown_table(one.rows) for one in chosen]
    alone = [note for one in chosen if (note := explain_mark(one.rows))]
    notes = explain_comparison(comparison) if table is None else alone
    return "\n\n".join([*tables, *map(escape_markdown_cell, notes)]) + "\n"


def render_comparison_latex(comparison: Comparison, table: str | None = None) -> str:
    """The same in LaTeX, for the package booktabs; notes as comments."""
    tables = [
        render_latex_table(one.rows, caption=_add_mark(one), label=one.name)
        for one in select_tables(comparison, table)
    ]
    notes = explain_comparison(comparison) if table is None else []
    comments = [f"% {' '.join(note.split())}" for note in (_NEEDS_BOOKTABS, *notes)]
    return "\n\n".join([comments[0], *tables, *comments[1:]]) + "\n"


def _add_mark(table: NamedTable) -> str:
    """The caption, with what the mark means where a cell has it: the table may stand alone in a paper."""
    note = explain_mark(table.rows)
    return f"{table.caption} {note}." if note else table.caption
