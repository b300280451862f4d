"""Plain cells as tables of Markdown and of LaTeX: escaping, alignment, line ends."""

from __future__ import annotations

from headstart.report.table_formats import (
    render_latex_table,
    render_markdown_table,
)

ROWS = [["arm", "95% seeds", "note"], ["[red]a_b|c&d", "61.0 ± 2.0", "~50% of $3 {x} #1 \\ ^"]]


def test_markdown_escapes_bars_and_aligns_figures_on_the_right() -> None:
    assert render_markdown_table(ROWS).splitlines() == [
        "| arm | 95% seeds | note |",
        "| --- | ---: | ---: |",
        "| [red]a_b\\|c&d | 61.0 ± 2.0 | ~50% of $3 {x} #1 \\\\ ^ |",
    ]


def test_latex_escapes_what_it_would_read() -> None:
    assert render_latex_table(ROWS, caption="50% of a_b, ± 1", label="arms").splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{50\% of a\_b, $\pm$ 1}",
        r"\label{tab:arms}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"arm & 95\% seeds & note \\",
        r"\midrule",
        r"{}[red]a\_b|c\&d & 61.0 $\pm$ 2.0 & \textasciitilde{}50\% of \$3 \{x\} \#1 \textbackslash{} "
        r"\textasciicircum{} \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_a_table_of_its_heading_alone_is_a_table() -> None:
    assert render_markdown_table([["arm", "seeds"]]) == "| arm | seeds |\n| --- | ---: |"
    lines = render_latex_table([["arm", "seeds"]], caption="c", label="l").splitlines()
    assert lines[-4:] == [r"\midrule", r"\bottomrule", r"\end{tabular}", r"\end{table}"]
