"""Tables of plain cells in Markdown or in LaTeX; knows nothing of what they hold.

A table is a list of rows, its heading first; the first column holds names and the others figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headstart.data.controls import escape_hidden
from headstart.data.markdown import escape_markdown_cell

Rows = list[list[str]]
_LATEX_SPECIAL: Final = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "†": r"$\dagger$",
    }
)


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


def render_latex_table(rows: Rows, *, caption: str, label: str) -> str:
    """As a LaTeX `table` with a caption and a label, in the style of the package booktabs; names on the left
    and figures on the right."""
    lines = [" & ".join(map(_escape_latex, row)) + r" \\" for row in rows]
    alignment = "l" + "r" * (len(rows[0]) - 1)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape_latex(caption)}}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )
