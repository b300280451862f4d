"""Tables of plain cells for a terminal, in Markdown or in LaTeX; knows nothing of what they hold.

A table is a list of rows, its heading first; the first column holds names and the others figures.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from rich import box
from rich.markup import escape
from rich.table import Table

from headstart.data.controls import escape_hidden
from headstart.data.markdown import escape_markdown_cell

Rows = list[list[str]]
_LATEX_SPECIAL: Final = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
)


def render_terminal_table(
    rows: Rows, *, two_line_heads: Collection[str] = (), unbroken: Collection[str] = ()
) -> Table:
    """For a terminal; cells are shown as they are, whatever markup they may look like.

    Args:
        two_line_heads: headings that take two lines, broken at their last space.
        unbroken: headings of columns whose cells stay on one line; so do those of columns with a ±. Names, in
            the first column, are folded where figures would be cut.
    """
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    for i, name in enumerate(rows[0]):
        head = "\n".join(name.rsplit(" ", 1)) if name in two_line_heads else name
        is_unbroken = i > 0 and (name in unbroken or any("±" in row[i] for row in rows))
        table.add_column(
            escape(head), justify="left" if i == 0 else "right", no_wrap=is_unbroken, overflow="fold"
        )
    for row in rows[1:]:
        table.add_row(*map(escape, row))
    return table


def render_markdown_table(rows: Rows) -> str:
    """In Markdown, figures on the right."""
    lines = [_join_markdown([escape_markdown_cell(cell) for cell in row]) for row in rows]
    rule = _join_markdown(["---", *["---:"] * (len(rows[0]) - 1)])
    return "\n".join([lines[0], rule, *lines[1:]])


def _join_markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape_latex(cell: str) -> str:
    text = " ".join(escape_hidden(cell).split()).translate(_LATEX_SPECIAL)
    # Behind the end of a row LaTeX takes these for how far away the next one is.
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def render_latex_table(rows: Rows) -> str:
    """As a LaTeX `tabular`, which needs no package; figures on the right."""
    lines = [" & ".join(map(_escape_latex, row)) + r" \\" for row in rows]
    alignment = "l" + "r" * (len(rows[0]) - 1)
    inside = [lines[0], r"\hline", *lines[1:]]
    return "\n".join([rf"\begin{{tabular}}{{{alignment}}}", *inside, r"\end{tabular}"])
